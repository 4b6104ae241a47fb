package store

import (
	"bytes"
	"fmt"
)

// Txn is a transaction: compares, and what to do if they all hold or not.
type Txn struct {
	Compare []Compare
	Then    []Op
	Else    []Op
}

// TxnResult is what a transaction did.
type TxnResult struct {
	// Succeeded says whether every compare held, hence Then was done.
	Succeeded bool
	// Revision is the store's revision after it.
	Revision int64
	// Results has one entry for each Op done, in order.
	Results []OpResult
}

// OpResult is what one Op found or did.
type OpResult struct {
	// KVs are the keys that a get or list found, or that a delete removed.
	KVs []KV
}

// Target is what of a key a Compare looks at.
type Target string

const (
	TargetVersion        Target = "version" // 0 for a key that does not exist
	TargetCreateRevision Target = "create"  // 0 for a key that does not exist
	TargetModRevision    Target = "mod"     // 0 for a key that does not exist
	TargetValue          Target = "value"   // a key that does not exist equals nothing
)

// Relation is how a Compare compares.
type Relation string

const (
	Equal    Relation = "="
	NotEqual Relation = "!="
	Greater  Relation = ">"
	Less     Relation = "<"
)

// Compare is one condition of a Txn. Use the constructors.
type Compare struct {
	Key      string
	Target   Target
	Relation Relation
	Number   int64  // for all targets but the value
	Value    []byte // for TargetValue
}

// Missing holds where the key does not exist.
func Missing(key string) Compare {
	return Compare{Key: key, Target: TargetCreateRevision, Relation: Equal}
}

// Exists holds where the key exists.
func Exists(key string) Compare {
	return Compare{Key: key, Target: TargetCreateRevision, Relation: Greater}
}

// Unchanged holds where the key's last put was at modRevision (0: it does not exist).
func Unchanged(key string, modRevision int64) Compare {
	return Compare{Key: key, Target: TargetModRevision, Relation: Equal, Number: modRevision}
}

// VersionIs holds where the key was put version times since it was made.
func VersionIs(key string, version int64) Compare {
	return Compare{Key: key, Target: TargetVersion, Relation: Equal, Number: version}
}

// ValueIs holds where the key exists and has this value.
func ValueIs(key string, value []byte) Compare {
	return Compare{Key: key, Target: TargetValue, Relation: Equal, Value: value}
}

// Holds says whether the compare is true of kv; nil is a key that does not exist.
func (c Compare) Holds(kv *KV) bool {
	var order int
	switch c.Target {
	case TargetValue:
		if kv == nil {
			return false
		}
		order = bytes.Compare(kv.Value, c.Value)
	case TargetVersion, TargetCreateRevision, TargetModRevision:
		order = compareInt(c.number(kv), c.Number)
	default:
		return false
	}
	switch c.Relation {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Greater:
		return order > 0
	case Less:
		return order < 0
	}
	return false
}

func (c Compare) number(kv *KV) int64 {
	switch {
	case kv == nil:
		return 0
	case c.Target == TargetVersion:
		return kv.Version
	case c.Target == TargetCreateRevision:
		return kv.CreateRevision
	}
	return kv.ModRevision
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// OpKind is what an Op does.
type OpKind string

const (
	OpPut          OpKind = "put"
	OpGet          OpKind = "get"
	OpList         OpKind = "list"
	OpDelete       OpKind = "delete"
	OpDeletePrefix OpKind = "delete-prefix"
)

// Op is one action of a Txn. Use the constructors.
type Op struct {
	Kind  OpKind
	Key   string // or the prefix
	Value []byte
	Lease LeaseID
}

// Put sets the key's value.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// PutLeased sets the key's value; the key is deleted when the lease ends.
func PutLeased(key string, value []byte, id LeaseID) Op {
	return Op{Kind: OpPut, Key: key, Value: value, Lease: id}
}

// Get reads the key.
func Get(key string) Op { return Op{Kind: OpGet, Key: key} }

// List reads the keys that begin with prefix.
func List(prefix string) Op { return Op{Kind: OpList, Key: prefix} }

// Delete removes the key; a key that does not exist is no error.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// DeletePrefix removes the keys that begin with prefix.
func DeletePrefix(prefix string) Op { return Op{Kind: OpDeletePrefix, Key: prefix} }

// Limits of one transaction; every implementation keeps them, so that what
// passes on one passes on the other.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 512 << 10
	MaxTxnOps     = 128
)

// Validate says what is wrong with a transaction before it is tried.
func (t Txn) Validate() error {
	if n := max(len(t.Compare), len(t.Then), len(t.Else)); n > MaxTxnOps {
		return fmt.Errorf("transaction with %d parts, at most %d: %w", n, MaxTxnOps, ErrInvalid)
	}
	for _, c := range t.Compare {
		if err := checkKey(c.Key, false); err != nil {
			return err
		}
	}
	for _, ops := range [][]Op{t.Then, t.Else} {
		if err := checkOps(ops); err != nil {
			return err
		}
	}
	return nil
}

// checkOps also refuses to put one key twice: the two puts would share a revision.
func checkOps(ops []Op) error {
	seen := map[string]bool{}
	for _, op := range ops {
		prefix := op.Kind == OpList || op.Kind == OpDeletePrefix
		if err := checkKey(op.Key, prefix); err != nil {
			return err
		}
		if op.Kind != OpPut {
			continue
		}
		if seen[op.Key] {
			return fmt.Errorf("key %q put twice in one transaction: %w", op.Key, ErrInvalid)
		}
		seen[op.Key] = true
		if len(op.Value) > MaxValueBytes {
			return fmt.Errorf("value of %q has %d bytes, at most %d: %w", op.Key, len(op.Value), MaxValueBytes, ErrInvalid)
		}
	}
	return nil
}

func checkKey(key string, emptyOK bool) error {
	if key == "" && !emptyOK {
		return fmt.Errorf("empty key: %w", ErrInvalid)
	}
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("key of %d bytes, at most %d: %w", len(key), MaxKeyBytes, ErrInvalid)
	}
	return nil
}
