package ledger

import "encoding/binary"

// Direction is one of the two of a stream.
type Direction uint8

const (
	// Up is from the client to the server.
	Up Direction = iota
	// Down is from the server to the client.
	Down
)

func (d Direction) String() string {
	if d == Up {
		return "up"
	}
	return "down"
}

// sequence is what one direction of one stream carries: words of 8 bytes, each
// a bijection of (stream, direction, number of the word) under the seed. A word
// that is seen can be turned back into where it belongs.
type sequence struct {
	seed      uint64
	stream    uint32 // below 1<<maxStreamBits
	direction Direction
}

const (
	wordSize      = 8
	numberBits    = 40 // 8 TiB a direction
	maxStreamBits = 63 - numberBits
)

func (s sequence) word(number uint64) uint64 {
	return mix((uint64(s.stream)<<1|uint64(s.direction))<<numberBits|number) ^ mix(s.seed)
}

// origin says which sequence of the seed a word is of, and its number.
func origin(seed, word uint64) (sequence, uint64) {
	x := unmix(word ^ mix(seed))
	id := x >> numberBits
	return sequence{seed, uint32(id >> 1), Direction(id & 1)}, x & (1<<numberBits - 1)
}

// fill writes what stands at a position.
func (s sequence) fill(p []byte, at uint64) {
	var w [wordSize]byte
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(w[:], s.word(at/wordSize))
		n := copy(p, w[at%wordSize:])
		p, at = p[n:], at+uint64(n)
	}
}

// mix is the finaliser of splitmix64, a bijection; unmix is its inverse.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func unmix(x uint64) uint64 {
	x = (x ^ x>>31 ^ x>>62) * 0x319642b2d24d8ec3
	x = (x ^ x>>27 ^ x>>54) * 0x96de1b173f119089
	x = x ^ x>>30 ^ x>>60
	return x - 0x9e3779b97f4a7c15
}

// source is a small generator for sizes and pauses, the same in every run.
type source uint64

func (s *source) below(n int) int {
	*s++
	return int(mix(uint64(*s)) % uint64(n))
}
