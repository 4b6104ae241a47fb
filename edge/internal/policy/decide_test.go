package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func alice() Subject {
	return Subject{Issuer: "https://id.site.com", Subject: "1", Email: "Alice@Site.com", EmailVerified: true, Groups: []string{"staff", "dba"}}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	with := func(change func(*Subject)) Subject { s := alice(); change(&s); return s }
	rules := func(text string) []Rule {
		var rs []Rule
		for line := range strings.SplitSeq(text, ";") {
			f := strings.Fields(line)
			rs = append(rs, Rule{Action: Action(f[0]), Selectors: f[1:]})
		}
		return rs
	}
	cases := []struct {
		name  string
		rules []Rule
		who   Subject
		want  string
	}{
		{"no rules", nil, alice(), DefaultDeny},
		{"everyone", rules("allow everyone"), alice(), "allow everyone (#1)"},
		{"everyone, but nobody", rules("allow everyone"), Subject{}, DefaultDeny},
		{"email in another case", rules("allow email:aLICE@site.COM"), alice(), "allow email:alice@site.com (#1)"},
		{"email not verified", rules("allow email:alice@site.com"), with(func(s *Subject) { s.EmailVerified = false }), DefaultDeny},
		{"deny by an email that is not verified", rules("deny email:alice@site.com;allow group:staff"), with(func(s *Subject) { s.EmailVerified = false }), "deny email:alice@site.com (#1)"},
		{"deny by a domain that is not verified", rules("deny domain:site.com;allow group:staff"), with(func(s *Subject) { s.EmailVerified = false }), "deny domain:site.com (#1)"},
		{"deny and no address", rules("deny email:alice@site.com;allow group:staff"), with(func(s *Subject) { s.Email = "" }), "allow group:staff (#2)"},
		{"deny and what is no address, not verified", rules("deny email:alice@site.com;allow group:staff"), with(func(s *Subject) { s.Email, s.EmailVerified = "alice", false }), "allow group:staff (#2)"},
		{"domain", rules("allow domain:site.com"), alice(), "allow domain:site.com (#1)"},
		{"domain, subdomain", rules("allow domain:site.com"), with(func(s *Subject) { s.Email = "a@x.site.com" }), DefaultDeny},
		{"domain, suffix", rules("allow domain:site.com"), with(func(s *Subject) { s.Email = "a@evilsite.com" }), DefaultDeny},
		{"domain, not verified", rules("allow domain:site.com"), with(func(s *Subject) { s.EmailVerified = false }), DefaultDeny},
		{"domain, two signs", rules("allow domain:site.com"), with(func(s *Subject) { s.Email = "a@site.com@evil.com" }), DefaultDeny},
		{"domain, trailing dot", rules("deny domain:site.com;allow everyone"), with(func(s *Subject) { s.Email = "a@site.com." }), "deny domain:site.com (#1)"},
		{"kelvin sign is no k", rules("allow email:kate@site.com"), with(func(s *Subject) { s.Email = "\u212Aate@site.com" }), DefaultDeny},
		{"group", rules("allow group:nobody group:dba"), alice(), "allow group:dba (#1)"},
		{"group is exact", rules("allow group:Staff"), alice(), DefaultDeny},
		{"first match decides", rules("deny group:dba;allow everyone"), alice(), "deny group:dba (#1)"},
		{"order counts", rules("allow everyone;deny group:dba"), alice(), "allow everyone (#1)"},
		{"third rule", rules("deny email:b@site.com;allow group:x;allow domain:site.com"), alice(), "allow domain:site.com (#3)"},
		{"broken selector denies all", rules("allow everyone;allow nonsense"), alice(), BrokenDeny},
		{"broken action denies all", rules("allow everyone;permit everyone"), alice(), BrokenDeny},
		{"rule without selectors denies all", []Rule{{Allow, []string{"everyone"}}, {Action: Deny}}, alice(), BrokenDeny},
		{"international domain", rules("allow domain:münchen.de"), with(func(s *Subject) { s.Email = "a@MÜNCHEN.de" }), "allow domain:xn--mnchen-3ya.de (#1)"},
		{"unreadable address is not allowed", rules("allow domain:site.com"), with(func(s *Subject) { s.Email = "a@s ité.com" }), DefaultDeny},
		{"unreadable address is denied", rules("deny domain:site.com;allow everyone"), with(func(s *Subject) { s.Email = "a@s ité.com" }), "deny domain:site.com (#1)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := &App{Hostname: "tcp.site.com", Contact: "ops@site.com", Rules: c.rules, Version: 7}
			want := Decision{Allow: strings.HasPrefix(c.want, "allow "), Rule: c.want, Contact: "ops@site.com", Version: 7}
			if got := Decide(app, c.who); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			app.program = compile(app.Rules)
			if got := Decide(app, c.who); got != want {
				t.Errorf("compiled: got %+v, want %+v", got, want)
			}
		})
	}
	if got := Decide(nil, alice()); got != (Decision{Rule: DefaultDeny}) {
		t.Errorf("no app: %+v", got)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		selectors string
		want      bool
	}{
		{"", false}, {"everyone", true}, {"email:alice@site.com", true}, {"group:x domain:site.com", true},
		{"group:x nonsense", false}, {"nonsense group:dba", true}, {"domain:com", false},
	} {
		if got := Matches(strings.Fields(c.selectors), alice()); got != c.want {
			t.Errorf("%q: %v", c.selectors, got)
		}
	}
}

// naive is an independent evaluator: text against text, nothing compiled.
func naive(rules []Rule, s Subject) (allow bool, rule string) {
	for i, r := range rules {
		for _, sel := range r.Selectors {
			hit := false
			counts := s.EmailVerified || r.Action == Deny
			switch email := strings.ToLower(s.Email); {
			case sel == "everyone":
				hit = s.Subject != "" || s.Email != ""
			case strings.HasPrefix(sel, "email:"):
				hit = counts && s.Email != "" && "email:"+email == strings.ToLower(sel)
			case strings.HasPrefix(sel, "domain:"):
				parts := strings.Split(email, "@")
				hit = counts && len(parts) == 2 && parts[0] != "" && "domain:"+parts[1] == strings.ToLower(sel)
			case strings.HasPrefix(sel, "group:"):
				for _, g := range s.Groups {
					hit = hit || "group:"+g == sel && (s.Subject != "" || s.Email != "")
				}
			}
			if hit {
				if !strings.HasPrefix(sel, "group:") {
					sel = strings.ToLower(sel)
				}
				return r.Action == Allow, fmt.Sprintf("%s %s (#%d)", r.Action, sel, i+1)
			}
		}
	}
	return false, DefaultDeny
}

func TestAgainstNaiveEvaluator(t *testing.T) {
	t.Parallel()
	const cases = 100_000
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	domain := func() string { return pick("site.com", "x.site.com", "Site.COM", "evilsite.com", "other-9.org", "a.b") }
	email := func() string { return pick("alice", "bob", "Alice", "a.b+c", "o_o", "x") + "@" + domain() }
	group := func() string { return pick("staff", "Staff", "dba", "a b", "g:1") }
	allowed, denied := 0, 0
	for range cases {
		rules := make([]Rule, rnd.IntN(5))
		for i := range rules {
			rules[i].Action = Action(pick("allow", "deny"))
			for range 1 + rnd.IntN(3) {
				sel := pick("email:"+email(), "email:"+email(), "domain:"+domain(), "domain:"+domain(), "group:"+group(), "everyone")
				rules[i].Selectors = append(rules[i].Selectors, sel)
			}
		}
		s := Subject{Subject: pick("", "1", "2"), Email: pick("", email(), email(), email()), EmailVerified: rnd.IntN(4) > 0}
		for range rnd.IntN(3) {
			s.Groups = append(s.Groups, group())
		}
		app := App{Hostname: "h.site.com", Rules: rules, Version: 3}
		if err := Check(app); err != nil {
			t.Fatal(err)
		}
		app.program = compile(rules)
		got := Decide(&app, s)
		allow, rule := naive(rules, s)
		if got.Allow != allow || got.Rule != rule || got.Version != 3 {
			t.Fatalf("%+v\nfor %+v\ngot %+v, want %v by %q", rules, s, got, allow, rule)
		}
		if allow {
			allowed++
		} else {
			denied++
		}
	}
	if allowed < cases/5 || denied < cases/5 {
		t.Fatalf("%d allowed, %d denied: the cases are too much alike", allowed, denied)
	}
}

func FuzzDecide(f *testing.F) {
	f.Add("allow", "everyone", "Alice@Site.com", "staff")
	f.Add("deny", "domain:site.com", "a@b@c", "\xff")
	f.Fuzz(func(t *testing.T, action, selector, email, group string) {
		app := &App{Rules: []Rule{{Action(action), []string{selector}}}}
		s := Subject{Subject: "1", Email: email, EmailVerified: true, Groups: []string{group}}
		d := Decide(app, s)
		if d.Allow && (action != "allow" || CheckSelector(selector) != nil) {
			t.Fatalf("allowed by %q %q", action, selector)
		}
		if Matches([]string{selector}, s) != d.Allow && action == "allow" {
			t.Fatalf("Matches and Decide differ on %q for %q", selector, email)
		}
		// What isNormal lets through is what Address would have given.
		if isNormal(email) {
			who := personOf(&s)
			slow := Subject{Subject: "1", Email: strings.ToUpper(email), EmailVerified: true}
			if p := personOf(&slow); p.address != who.address || p.domain != who.domain {
				t.Fatalf("%q read as %q and as %q", email, who.address, p.address)
			}
		}
	})
}

func TestDecideAllocatesNothing(t *testing.T) {
	app := &App{Rules: []Rule{{Deny, []string{"group:x", "email:b@site.com"}}, {Allow, []string{"domain:site.com"}}}}
	app.program = compile(app.Rules)
	s := alice()
	s.Email = "alice@site.com"
	if n := testing.AllocsPerRun(100, func() { Decide(app, s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	app := &App{Contact: "ops", Rules: []Rule{
		{Deny, []string{"group:contractors", "email:mallory@site.com"}},
		{Allow, []string{"group:sre", "group:dev"}},
		{Allow, []string{"domain:site.com"}},
	}}
	app.program = compile(app.Rules)
	s := alice()
	s.Email = "alice@site.com"
	b.ReportAllocs()
	for b.Loop() {
		if !Decide(app, s).Allow {
			b.Fatal("denied")
		}
	}
}
