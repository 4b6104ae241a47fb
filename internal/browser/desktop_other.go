//go:build !windows && !darwin

package browser

func desktop(getenv func(string) string) (bool, string) {
	for _, v := range []string{"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} {
		if getenv(v) != "" {
			return true, ""
		}
	}
	return false, "there is no desktop here"
}
