package archtest

// Rules is the house as data. A path is relative to the module's root.
type Rules struct {
	// Module is the module path.
	Module string
	// Layers gives the layer of each room; the longest prefix of a package
	// decides. A package without a layer is a violation.
	Layers map[string]int
	// Programs are folders whose rooms only they may import.
	Programs []string
	// Contracts says which programs may import a contract; a contract that is
	// not named may be imported by everyone above it.
	Contracts map[string][]string
	// Neighbours are the imports within one layer that have a stated reason.
	Neighbours []Neighbour
	// Modules gives the rooms that may import an outside module. The longest
	// prefix of an import path decides; one that is not named is a violation.
	Modules map[string][]string
	// Documented are the rooms in which every exported name has a comment.
	Documented []string
	// StandardOnly are the packages that import nothing but the standard library.
	StandardOnly []string
	// FileLines, FuncLines and PackageLines are the largest sizes. FuncLines and
	// PackageLines leave tests out.
	FileLines, FuncLines, PackageLines int
}

// Neighbour is one import within a layer, and why it is there.
type Neighbour struct{ From, To, Reason string }

// Anywhere stands in Modules for "every room": extensions of the standard
// library that have no room of their own.
const Anywhere = "*"

// testRoom holds the tests of the whole; it stands above every layer.
const testRoom = "test"

// House is the rules of this repository.
func House() Rules {
	return Rules{
		Module:       "github.com/sallyport/sallyport",
		Layers:       layers(),
		Programs:     []string{"daemon", "ctl", "tray", "edge", "installer"},
		Contracts:    map[string][]string{"api": {"daemon", "ctl", "tray"}, "wire": {"daemon", "edge"}},
		Neighbours:   neighbours(),
		Modules:      modules(),
		Documented:   []string{"api", "wire"},
		StandardOnly: []string{"api"},
		FileLines:    600,
		FuncLines:    80,
		PackageLines: 1500,
	}
}

func layers() map[string]int {
	return map[string]int{
		"api": 0, "wire": 0,

		"api/client": 1, "internal": 1,
		// The edge's rooms write their rows through its store and read their
		// settings from its config, so both lie below them.
		"edge/internal/store": 1, "edge/internal/config": 1,

		"daemon/internal/forward": 2, "daemon/internal/connector": 2, "daemon/internal/link": 2,
		"daemon/internal/login": 2, "daemon/internal/store": 2, "daemon/internal/seal": 2,
		"daemon/internal/owner": 2,
		"edge/internal/authn":   2, "edge/internal/idp": 2, "edge/internal/login": 2,
		"edge/internal/sessions": 2, "edge/internal/policy": 2, "edge/internal/registry": 2,
		"edge/internal/enrol": 2, "edge/internal/audit": 2, "edge/internal/certs": 2,
		"edge/internal/metrics": 2,
		// What the edge's commands say to the running edge, and their client.
		"edge/internal/admin/adminapi": 1, "edge/internal/admin/client": 2,

		"tray/internal/notify": 2, "tray/internal/clipboard": 2,

		"daemon/internal/agent": 3, "tray/internal/menu": 3, "edge/internal/relay": 3,

		"daemon/internal/localapi": 4, "daemon/internal/service": 4, "ctl/internal/cli": 4,
		"tray/internal/ui": 4, "edge/internal/web": 4, "edge/internal/admin": 4, "edge/internal/cli": 4,

		"installer/internal/setup": 4,

		"daemon": 5, "ctl": 5, "tray": 5, "edge": 5, "installer": 5,

		// What builds packages; no program knows it.
		"packaging": 6,
		testRoom:    6,
	}
}

func neighbours() []Neighbour {
	return []Neighbour{
		{"api/client", "internal/ipc", "the client speaks over the socket or pipe that ipc opens"},
		{"api/client", "internal/paths", "where a client looks for the daemon's socket"},
		{"internal/ipc", "internal/paths", "the group of administrators has one name"},
		{"internal/manifest", "internal/paths", "the accounts have one name"},
		{"internal/osservice", "internal/manifest", "the manifest says what runs as which account"},
		{"internal/signin", "api/client", "a login is walked over the local API"},
		{"internal/signin", "internal/browser", "a login opens the browser"},
		{"internal/pipe", "internal/sockopt", "a pipe sets how its sockets end"},
		{"edge/internal/login", "edge/internal/policy", "publisher rights are selectors; policy is pure and has no state"},
		{"edge/internal/sessions", "edge/internal/policy", "a session gives its person as the Subject that is decided about"},
	}
}

func modules() map[string][]string {
	cli := []string{"ctl/internal/cli", "edge/internal/cli", "internal/manual"}
	return map[string][]string{
		"github.com/hashicorp/yamux":          {"wire"},
		"github.com/coder/websocket":          {"internal/webconn"},
		"go.etcd.io/bbolt":                    {"daemon/internal/store", "edge/internal/store"},
		"github.com/coreos/go-oidc/v3":        {"edge/internal/authn"},
		"github.com/zitadel/oidc/v3":          {"edge/internal/idp"},
		"github.com/kardianos/service":        {"daemon/internal/service", "internal/osservice"},
		"fyne.io/systray":                     {"tray/internal/ui"},
		"github.com/godbus/dbus/v5":           {"tray/internal/notify", testRoom},
		"github.com/Microsoft/go-winio":       {"internal/ipc"},
		"github.com/spf13/cobra":              cli,
		"github.com/spf13/pflag":              cli,
		"github.com/jedib0t/go-pretty/v6":     cli,
		"github.com/goccy/go-yaml":            {"edge/internal/config"},
		"github.com/prometheus/client_golang": {"edge/internal/metrics"},
		"github.com/cli/browser":              {"internal/browser"},
		"github.com/fsnotify/fsnotify":        {"edge/internal/config"},
		"github.com/coreos/go-systemd/v22":    {"internal/osservice"},
		"github.com/gofrs/flock":              {"daemon/internal/store", "edge/internal/store", "tray"},
		"github.com/chromedp/chromedp":        {testRoom},
		"github.com/chromedp/cdproto":         {testRoom},
		"github.com/rogpeppe/go-internal":     {testRoom},
		"github.com/google/go-cmp":            {Anywhere},
		"go.uber.org/goleak":                  {Anywhere},
		"golang.org/x/sys":                    {Anywhere},
		"golang.org/x/sync":                   {Anywhere},
		"golang.org/x/time":                   {Anywhere},
		"golang.org/x/net":                    {Anywhere},
		"golang.org/x/crypto":                 {Anywhere},
		"golang.org/x/term":                   append([]string{testRoom}, cli...),
		"golang.org/x/oauth2":                 {"edge/internal/authn"},
		"github.com/go-jose/go-jose/v4":       {"edge/internal/idp"},
		"golang.org/x/text":                   {"edge/internal/idp"},
	}
}
