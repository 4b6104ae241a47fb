package wire

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/trunk"
)

// The specification names the test of each rule: each of them is there.
func TestSpecificationNamesItsTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for line := range strings.Lines(string(page)[strings.Index(string(page), "## 10."):]) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		if _, err := strconv.Atoi(strings.TrimSpace(cells[1])); err != nil {
			continue
		}
		if rules++; strconv.Itoa(rules) != strings.TrimSpace(cells[1]) {
			t.Errorf("rule %s stands at place %d", cells[1], rules)
		}
		checkTests(t, cells[3])
	}
	if rules != 30 {
		t.Errorf("%d rules, want 30", rules)
	}
}

// checkTests takes a cell such as "`wire` TestA, FuzzB; later".
func checkTests(t *testing.T, cell string) {
	t.Helper()
	folder, named := "", strings.Contains(cell, "later")
	for _, m := range regexp.MustCompile("`([^`]+)`|\\b((?:Test|Fuzz)\\w+)").FindAllStringSubmatch(cell, -1) {
		if m[1] != "" {
			folder = m[1]
			continue
		}
		named = true
		if !testExists(t, filepath.Join("..", folder), m[2]) {
			t.Errorf("%s has no %s", folder, m[2])
		}
	}
	if !named {
		t.Errorf("no test in %q", cell)
	}
}

func testExists(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// The table of constants says what the code says.
func TestSpecificationKnowsTheConstants(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| MaxMessage | " + strconv.Itoa(MaxMessage>>10) + " KiB |",
		"| MaxLinkQueue | " + strconv.Itoa(MaxLinkQueue>>10) + " KiB |",
		"| HelloTimeout | " + HelloTimeout.String() + " |",
		"| DirectTimeout | " + DirectTimeout.String() + " |",
		"| PingAfter / DeadAfter | " + PingAfter.String() + " / " + DeadAfter.String() + " |",
		"| TicketLife | " + TicketLife.String() + " |",
		"| GrantWait | " + GrantWait.String() + " |",
		"| MaxUngranted | " + strconv.Itoa(MaxUngranted) + " |",
		"| AckWait / WordWait | " + strconv.Itoa(int(carrier.AckWait/time.Millisecond)) + " / " + strconv.Itoa(int(carrier.WordWait/time.Millisecond)) + " ms |",
		"| VainRate | " + strconv.Itoa(carrier.VainRate) + " a second, burst " + strconv.Itoa(carrier.VainBurst) + " |",
		"| GivenUpRate | " + strconv.Itoa(carrier.GivenUpRate) + " a second, burst 1," + strconv.Itoa(carrier.GivenUpBurst-1000) + " |",
		"| MaxEarlyData, EarlyWindow | " + strconv.Itoa(MaxEarlyData>>10) + " KiB |",
		"| OriginDialTimeout | " + OriginDialTimeout.String() + " |",
		"| CutDoneWait | " + CutDoneWait.String() + " |",
		"| NotSentLowAt | " + strconv.Itoa(NotSentLowAt>>10) + " KiB |",
		"| UserTimeout | " + UserTimeout.String() + " |",
		"| MaxHalfJoinedSession / MaxHalfJoinedConnector | " + strconv.Itoa(MaxHalfJoinedSession) + " / " + strconv.Itoa(MaxHalfJoinedConnector) + " |",
		"| PeekTimeout / MaxPeek | " + PeekTimeout.String() + " / " + strconv.Itoa(MaxPeek>>10) + " KiB |",
		"| OpenWait / CloseWait | " + carrier.OpenWait.String() + " / " + strconv.Itoa(int(carrier.CloseWait.Seconds())) + " s |",
		"| LeastWindow / FirstWindow / MaxWindow | " + strconv.Itoa(envelope.LeastWindow>>10) + " KiB / " + strconv.Itoa(envelope.FirstWindow>>10) + " KiB / " + strconv.Itoa(envelope.MaxWindow>>20) + " MiB |",
		"| SessionBuffers / ProcessBuffers | " + strconv.Itoa(envelope.SessionBuffers>>20) + " / " + strconv.Itoa(envelope.ProcessBuffers>>20) + " MiB |",
		"| YamuxWindow | " + strconv.Itoa(trunk.YamuxWindow>>20) + " MiB |",
		"| MaxResume | " + strconv.Itoa(MaxResume) + " |",
		"| LaneUnsent | " + strconv.Itoa(LaneUnsent>>20) + " MiB |",
		"| MaxLanes / MaxSessionLanes | " + strconv.Itoa(MaxLanes) + " / " + strconv.Itoa(MaxSessionLanes) + " |",
	} {
		if !strings.Contains(string(page), spaced(row)) {
			t.Errorf("the table lacks %q", spaced(row))
		}
	}
}

// spaced puts the space between number and unit that the page has.
func spaced(row string) string {
	return regexp.MustCompile(`(\d)(s|ms)\b`).ReplaceAllString(row, "$1 $2")
}
