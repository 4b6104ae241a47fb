package menu

// Kind is what a click does.
type Kind string

const (
	Nothing    Kind = ""            // the zero value: an entry that cannot be clicked
	SignIn     Kind = "sign-in"     // with a browser here
	OpenLogin  Kind = "open-login"  // the page of the login that is under way, again
	Elsewhere  Kind = "elsewhere"   // sign in with a browser on another machine
	SignOut    Kind = "sign-out"    // of every edge
	Resume     Kind = "resume"      // one forward
	Pause      Kind = "pause"       // one forward
	ResumeAll  Kind = "resume-all"  // every forward
	PauseAll   Kind = "pause-all"   // every forward
	Copy       Kind = "copy"        // the address of a forward
	AddForward Kind = "add-forward" // to an app
	UseEdge    Kind = "use-edge"    // another one from now on
	Portal     Kind = "portal"      // open the edge's page
	StartOn    Kind = "autostart-on"
	StartOff   Kind = "autostart-off"
	About      Kind = "about"
	Quit       Kind = "quit" // the tray; the service and its forwards stay
)

// Action is what a click on an entry does.
type Action struct {
	Kind Kind
	// Target is what it is done to: the id of a forward or a login, the address
	// to copy, the hostname of an app, the name of an edge.
	Target string
}

// Commands gives the command of sallyport that does the same as each kind of
// action. Quit has none: it ends the tray alone. A test holds this list against
// the commands that there are.
func Commands() map[Kind]string {
	return map[Kind]string{
		SignIn:     "login",
		OpenLogin:  "login",
		Elsewhere:  "login --no-browser",
		SignOut:    "logout",
		Resume:     "forward resume",
		Pause:      "forward pause",
		ResumeAll:  "forward resume --all",
		PauseAll:   "forward pause --all",
		Copy:       "forward list",
		AddForward: "forward add",
		UseEdge:    "edge use",
		Portal:     "portal",
		StartOn:    "tray autostart",
		StartOff:   "tray autostart",
		About:      "version",
		Quit:       "",
	}
}
