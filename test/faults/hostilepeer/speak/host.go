package speak

import (
	"bytes"
	"context"
	"fmt"
)

// Enrol makes a key that of a host.
func Enrol(ctx context.Context, e Edge, id *Identity, token string) error {
	l, err := OpenLink(ctx, e, id)
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Hello(id, "host", nil); err != nil {
		return err
	}
	if m, err := l.Call(KindEnrol, Object{"token": token}); err != nil || m.Kind == KindFailure {
		return fmt.Errorf("enrol: %s: %w", m.Body, err)
	}
	return nil
}

// OpenHost is a link of a host that publishes a hostname.
func OpenHost(ctx context.Context, e Edge, id *Identity, hostname string) (*Link, error) {
	l, err := OpenLink(ctx, e, id)
	if err != nil {
		return nil, err
	}
	m, err := l.Hello(id, "host", nil)
	if err == nil && m.Get("connector", "id") == "" {
		err = fmt.Errorf("not enrolled: %s", m.Body)
	}
	if err == nil {
		if m, err = l.Register(hostname); err == nil && bytes.Contains(m.Body, []byte(`"reason":{`)) {
			err = fmt.Errorf("%s is not published: %s", hostname, m.Body)
		}
	}
	if err != nil {
		l.Close()
	}
	return l, err
}
