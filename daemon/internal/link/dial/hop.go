package dial

import (
	"fmt"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/proxy"
)

const hintProxy = "Name the proxy: sallyport edge use NAME --proxy URL; --proxy direct uses none, whatever the environment says."

// proxyProblem says how a proxy is the broken hop.
func proxyProblem(e *proxy.Error) *api.Problem {
	p := &api.Problem{Code: api.CodeProxy, Detail: fmt.Sprintf("%s: %s", e.Proxy, e.Said), Hint: hintProxy}
	switch e.Kind {
	case proxy.Unreachable:
		p.Title = "The proxy cannot be reached"
		if e.Err != nil {
			p.Detail = fmt.Sprintf("%s: %v", e.Proxy, e.Err)
		}
	case proxy.Credentials:
		p.Title = "The proxy wants a user and a password"
		p.Hint = "sallyport edge use NAME --proxy -, and http://USER:PASSWORD@" + e.Proxy + " on standard input"
	case proxy.Refused:
		p.Title = "The proxy does not lead to the edge"
		p.Hint = "Ask who runs the proxy to allow the edge's name and port."
	case proxy.Portal:
		p.Title = "A page stands between: sign in to this network"
		p.Hint = "Open a browser and sign in to the network, or name another proxy: sallyport edge use NAME --proxy URL"
	case proxy.Silent:
		p.Title = "The proxy does not answer"
		p.Detail = e.Proxy + " gave no whole answer in time"
	default:
		p.Title = "Something else than a proxy answers"
		p.Detail = fmt.Sprintf("%s: %v", e.Proxy, e.Err)
	}
	return p
}
