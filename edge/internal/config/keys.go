package config

import "strings"

// Key is one key of the file.
type Key struct {
	// Path is the key with those that it stands under: "oidc.issuer";
	// "sites[].zone" stands in each item of the list sites.
	Path string
	// Default is what counts where the key is not there, as it would be written;
	// "" means that it is required, or that there is none.
	Default string
	// Doc is what it means, in lines without a mark.
	Doc string
}

// Keys are all keys, in the order in which Template writes them.
func Keys() []Key { return keys }

var keys = []Key{
	{"name", "", "The public host name of this edge, without a port. Daemons and browsers use it,\nand the edge's certificate is for it. Required."},
	{"listen", `":8443"`, "Where the one public port is bound: \":PORT\" on all addresses, or \"IP:PORT\".\nWhere the IP is a loopback address, the web pages are served by plain http too."},
	{"port", "the port of listen", "The port that people and daemons connect to, where a router or load balancer in\nfront of the edge maps it."},
	{"proxies", "[]", "Addresses or networks of proxies in front of the edge that end TLS and pass WebSockets\non: their X-Forwarded-For is believed, and plain http is taken from them."},
	{"id", `"edge-1"`, "Names this edge in the audit log and among several edges of one store: lower-case\nletters, digits and hyphens."},
	{"state", `"state"`, "The state directory: database, private CA, admin socket. It must be on a local\ndisk, and its owner is the only one who may read it."},
	{"sites", "", "The DNS zones whose host names this edge serves. At least one."},
	{"sites[].zone", "", "The zone, such as site.com: its apps are host names under it. Required."},
	{"sites[].publishers", "[]", "Who may publish host names of the zone, besides the administrators: a list of\neveryone, email:ADDRESS, domain:DOMAIN, group:NAME."},
	{"administrators", `["group:admins"] with the embedded provider, else nobody`, "Who may publish everywhere: the same selectors as for publishers. The person who\nuses the set-up link is in the group admins of the embedded provider."},
	{"tls.cert", "a certificate of the private CA in the state directory", "The certificate file (PEM, with its chain). A certificate of the private CA brings\na warning in browsers that do not know it: give certificate files on a public edge."},
	{"tls.key", "", "The certificate's private key file (PEM). Only the edge should be able to read it."},
	{"oidc.issuer", "the embedded provider", "The OpenID provider that people sign in at, exactly as its discovery document says.\nRegister NAME/callback with it as redirect URI. Without oidc the edge runs an\nembedded provider with people of its own (sallyport-edge person add)."},
	{"oidc.client_id", "", "The client id that the provider gave. Required with oidc."},
	{"oidc.client_secret_file", "", "The file that holds the client secret, and nothing else. Leave it out for a public client."},
	{"oidc.scopes", "[openid, email, profile]", "What to ask the provider for; openid is always asked for."},
	{"oidc.groups_claim", `"groups"`, "The claim of the ID token, or of the userinfo endpoint, that lists the person's groups."},
	{"oidc.ca_file", "the system's", "Certificates (PEM) to check the provider's against."},
	{"session.lifetime", "12h", "How long a login lasts, at most 30 days (720h)."},
	{"drain.deadline", "5s", "How long an edge that is told to stop waits for the streams to end, at most 1h. It\ntakes no new ones meanwhile. Those that are left wait for an edge\n(app edit --resume-window) or end with a reset. 0s stops at once."},
	{"login.modes", "[loopback, code]", "How a login may come back from the browser: loopback (same machine), code (typed by\nthe person; also from another machine). Where several people share machines, allow\ncode alone."},
	{"login.timeout", "10m", "How long a person has from the start of a login to the yes in the browser, at most 10m."},
	{"metrics.listen", `"127.0.0.1:9464"`, "Where metrics and health are served, by plain http; off serves them nowhere."},
	{"audit.file", `"audit/audit.jsonl" in the state directory`, "The audit log: one JSON line an event, each with the hash of the one before. Read it\nwith sallyport-edge audit tail, check it with audit verify."},
	{"log.level", `"info"`, "How much the edge's own log says: debug, info, warn or error."},
	{"log.format", `"text"`, "How it is written, to standard error: text or json."},
}

// knownKeys are the keys that may stand under path: "", "oidc.", "sites[0].".
func knownKeys(path string) []string {
	if i := strings.IndexByte(path, '['); i >= 0 {
		path = path[:i] + "[]." // any item of the list
	}
	var known []string
	seen := map[string]bool{}
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k.Path, path)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(strings.ReplaceAll(rest, "[]", ""), ".")
		if !seen[name] {
			seen[name] = true
			known = append(known, name)
		}
	}
	return known
}
