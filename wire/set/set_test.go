package set

import (
	"slices"
	"testing"
)

func TestSet(t *testing.T) {
	t.Parallel()
	var s Set[int]
	s.Delete(1)
	for _, x := range []int{1, 2, 1, 3} {
		s.Add(x)
	}
	s.Delete(2)
	s.Delete(2)
	got := s.All()
	slices.Sort(got)
	if !slices.Equal(got, []int{1, 3}) {
		t.Errorf("the set has %v", got)
	}
}
