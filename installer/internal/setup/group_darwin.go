package setup

// groupName: root's group is called wheel here.
func groupName(name string) string {
	if name == "root" {
		return "wheel"
	}
	return name
}
