package store

import "testing"

func TestIsPrivate(t *testing.T) {
	t.Parallel()
	const self = "S-1-5-21-1-2-3-1001"
	for sddl, want := range map[string]bool{
		privateDACL(self):                true,
		"O:BA" + privateDACL("S-1-5-18"): true,
		"O:DAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + self + ")": true,  // as the system writes it
		"O:SYD:PAI(A;OICI;FA;;;SY)S:AI(AU;OICISAFA;FA;;;WD)":                  true,  // who is audited is nobody's right
		"O:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)":                        false, // inherited
		"O:BAD:P(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BU)":                       false,
		"O:BAD:P(A;OICI;FA;;;S-1-5-21-1-2-3-1002)":                            false,
		"O:BAD:P(A;OICI;FA;;;S-1-5-21-1-2-3-10011)":                           false,
		"O:BAD:P(D;;FA;;;WD)(A;OICI;FA;;;SY)":                                 false,
		"O:BAD:P(XA;;FA;;;SY;(WIN://SYSAPPID Contains \"x\"))":                false,
		"O:BAD:P":                 false,
		"O:BAD:NO_ACCESS_CONTROL": false,
		"O:BAD:P(A;OICI;FA;;;SY":  false,
		"O:BA":                    false,
		"":                        false,
	} {
		if got := isPrivate(sddl, self); got != want {
			t.Errorf("%s: %t", sddl, got)
		}
	}
}

func TestIsMaster(t *testing.T) {
	t.Parallel()
	const self = "S-1-5-21-1-2-3-1001"
	for sid, want := range map[string]bool{
		"S-1-5-18": true, "S-1-5-32-544": true, self: true, "SY": true, "BA": true,
		"S-1-5-19": false, "S-1-5-32-545": false, "S-1-5-21-1-2-3-1002": false, "S-1-1-0": false, "": false,
	} {
		if got := isMaster(sid, self); got != want {
			t.Errorf("%q: %t", sid, got)
		}
	}
}
