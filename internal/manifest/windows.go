package manifest

// WindowsDir is where the MSI puts the programs.
const WindowsDir = `C:\Program Files\Sallyport`

// MSIEntries are the rows of the MSI, with paths as Windows writes them.
func MSIEntries() []Entry {
	return []Entry{
		{Part: Daemon, Path: WindowsDir + `\sallyportd.exe`, From: "bin/sallyportd.exe"},
		{Part: Daemon, Path: WindowsDir + `\sallyport.exe`, From: "bin/sallyport.exe"},
		{Part: Tray, Path: WindowsDir + `\sallyport-tray.exe`, From: "bin/sallyport-tray.exe"},
	}
}

// Value is a text in the registry, for the whole machine.
type Value struct {
	Part            Part
	Key, Name, Text string
}

// MSIValues are what the MSI writes into the registry: everybody's login starts the
// tray.
func MSIValues() []Value {
	return []Value{{
		Part: Tray, Key: `Software\Microsoft\Windows\CurrentVersion\Run`, Name: "Sallyport",
		Text: `"` + WindowsDir + `\sallyport-tray.exe" -login`,
	}}
}
