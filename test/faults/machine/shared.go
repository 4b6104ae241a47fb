//go:build linux

package machine

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/sallyport/sallyport/test/harness"
)

// Shared is the part of L2 where an administrator lets others in: a group, all,
// and nobody again; the owner may not.
func (m *Machine) Shared(ctx context.Context) (got string, err error) {
	group := m.one.Name + "g"
	if out, err := exec.Command("groupadd", group).CombinedOutput(); err != nil {
		return "", fmt.Errorf("groupadd: %w: %s", err, out)
	}
	defer exec.Command("groupdel", group).Run()
	member, err := m.newUser("three", 0)
	if err != nil {
		return "", err
	}
	defer removeUser(member)
	if out, err := exec.Command("usermod", "-a", "-G", group, member.Name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("usermod: %w: %s", err, out)
	}
	d, listen := m.w.Client(), "localhost"+m.port[len("127.0.0.1"):]
	if r := d.CtlAs(ctx, m.one, "forward", "edit", listen, "--share", "everyone"); r.Code != 5 {
		return "", fmt.Errorf("a plain user shares a forward: code %d: %s", r.Code, r.Stderr)
	}
	const times = 200
	for _, step := range []struct {
		share, says    string
		member, others int
	}{
		{"group:" + group, "shared with the group " + group, times, 0},
		{"everyone", "shared with everyone", times, times},
		{"nobody", "", 0, 0},
	} {
		if err := d.Ctl(ctx, "forward", "edit", listen, "--share", step.share).Err(); err != nil {
			return got, err
		}
		r := d.CtlAs(ctx, m.one, "status")
		if r.Err() != nil || !strings.Contains(r.Stdout, step.says) || step.says == "" && strings.Contains(r.Stdout, "shared with") {
			return got, fmt.Errorf("status, with --share %s: %w: %s", step.share, r.Err(), r.Stdout)
		}
		for _, c := range []struct {
			who  *harness.User
			want int
		}{{m.one, times}, {member, step.member}, {m.two, step.others}} {
			t, err := m.doesAs(c.who, order{Network: "tcp", Address: m.port, Manner: mannerEcho, Times: times, AtOnce: 8})
			if err != nil {
				return got, err
			}
			if t.Answered != c.want {
				return got, fmt.Errorf("--share %s: %d of %d connections of %s were let in, %d are to be: %s", step.share, t.Answered, t.Tried, c.who.Name, c.want, t.Errors)
			}
		}
		name, _, _ := strings.Cut(step.share, ":")
		got += fmt.Sprintf("%s: member %d, other %d of %d; ", name, step.member, step.others, times)
	}
	return got + "the owner always; a plain owner may not share", nil
}
