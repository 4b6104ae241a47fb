package audit

import "os"

// syncHandle does nothing: NTFS keeps a rename in its own journal, and a
// directory cannot be flushed by this call.
func syncHandle(*os.File) error { return nil }
