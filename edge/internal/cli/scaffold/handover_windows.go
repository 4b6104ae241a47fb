package scaffold

// ownerOf: directories hand their access lists down here.
func ownerOf(string) (uid, gid int, ok bool) { return 0, 0, false }

func handOver(string, string, int, int) error { return nil }
