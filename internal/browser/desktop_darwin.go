package browser

func desktop(func(string) string) (bool, string) { return true, "" }
