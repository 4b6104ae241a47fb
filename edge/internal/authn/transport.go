package authn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxBody is how much of one answer is read. Key sets of large providers have
// tens of KiB.
const maxBody = 1 << 20

var errTooLarge = errors.New("answer is larger than 1 MiB")

// limited bounds the body of every answer and makes an error of a server's
// error, since the libraries would only give its text. It stands above decompression, so
// it counts what would fill memory.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		resp.Body.Close()
		return nil, fmt.Errorf("it answers %d", resp.StatusCode)
	case resp.ContentLength > maxBody:
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &bounded{resp.Body, maxBody}
	return resp, nil
}

type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// isNetwork says whether err means that no whole answer came.
func isNetwork(ctx context.Context, err error) bool {
	var fromURL *url.Error
	var fromNet net.Error
	return ctx.Err() != nil || errors.As(err, &fromURL) || errors.As(err, &fromNet) || errors.Is(err, io.ErrUnexpectedEOF)
}

// networkCause drops the URL from an error: its query may hold a code.
func networkCause(err error) error {
	var fromURL *url.Error
	if errors.As(err, &fromURL) {
		if fromURL.Timeout() {
			return fmt.Errorf("no answer in time (%s)", hostOf(fromURL.URL))
		}
		return fmt.Errorf("%s: %w", hostOf(fromURL.URL), fromURL.Err)
	}
	return err
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "provider"
	}
	return u.Host
}
