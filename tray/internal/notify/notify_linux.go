package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	busName = "org.freedesktop.Notifications"
	busPath = "/org/freedesktop/Notifications"

	// actionDefault is what a click on the note itself does.
	actionDefault, actionButton = "default", "button"

	// iconName is the themed icon that the packages install.
	iconName = "sallyport"
	// expireDefault leaves it to the desktop how long a note stays.
	expireDefault = int32(-1)
)

// Desktop is a connection to the person's session bus.
type Desktop struct {
	conn    *dbus.Conn
	pressed chan string
	done    chan struct{}

	mu   sync.Mutex
	ids  map[string]uint32 // by key
	keys map[uint32]string
}

// Open connects to the session bus.
func Open(log *slog.Logger) (*Desktop, error) {
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	d := &Desktop{
		conn: conn, pressed: make(chan string, pressedBacklog), done: make(chan struct{}),
		ids: map[string]uint32{}, keys: map[uint32]string{},
	}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchObjectPath(busPath), dbus.WithMatchInterface(busName)); err != nil {
		log.Warn("buttons of notifications will not work", slog.Any("error", err))
	}
	go d.listen(signals) // ends with the connection, which closes signals
	return d, nil
}

// Close ends the connection.
func (d *Desktop) Close() error {
	err := d.conn.Close()
	<-d.done
	return err
}

// Pressed gives the key of each note whose button is pressed.
func (d *Desktop) Pressed() <-chan string { return d.pressed }

// Ended is closed when the desktop session is over.
func (d *Desktop) Ended() <-chan struct{} { return d.conn.Context().Done() }

// Show shows a note.
func (d *Desktop) Show(ctx context.Context, n Note) error {
	actions := []string{}
	if n.Button != "" {
		actions = []string{actionDefault, n.Button, actionButton, n.Button}
	}
	d.mu.Lock()
	replaced := d.ids[n.Key]
	d.mu.Unlock()
	var id uint32
	err := d.conn.Object(busName, busPath).CallWithContext(ctx, busName+".Notify", 0,
		"Sallyport", replaced, iconName, n.Title, n.Text, actions, map[string]dbus.Variant{}, expireDefault).Store(&id)
	if err != nil {
		return fmt.Errorf("show a notification: %w", err)
	}
	if id == 0 {
		return errors.New("show a notification: the desktop gave it no number")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, replaced)
	d.ids[n.Key], d.keys[id] = id, n.Key
	return nil
}

// listen waits for buttons and for notes that are gone.
func (d *Desktop) listen(signals <-chan *dbus.Signal) {
	defer close(d.done)
	for s := range signals {
		if len(s.Body) < 2 {
			continue
		}
		id, ok := s.Body[0].(uint32)
		if !ok {
			continue
		}
		switch s.Name {
		case busName + ".ActionInvoked":
			if key, ok := d.key(id); ok {
				tell(d.pressed, key)
			}
		case busName + ".NotificationClosed":
			d.forget(id)
		}
	}
}

func (d *Desktop) key(id uint32) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key, ok := d.keys[id]
	return key, ok
}

func (d *Desktop) forget(id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if key, ok := d.keys[id]; ok {
		delete(d.keys, id)
		if d.ids[key] == id {
			delete(d.ids, key)
		}
	}
}
