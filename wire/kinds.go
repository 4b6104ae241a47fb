package wire

// Kind is the message's number.
func (*Hello) Kind() Kind { return KindHello }

// Kind is the message's number.
func (*Welcome) Kind() Kind { return KindWelcome }

// Kind is the message's number.
func (*Ping) Kind() Kind { return KindPing }

// Kind is the message's number.
func (*Pong) Kind() Kind { return KindPong }

// Kind is the message's number.
func (*Failure) Kind() Kind { return KindFailure }

// Kind is the message's number.
func (*OK) Kind() Kind { return KindOK }

// Kind is the message's number.
func (*LoginStart) Kind() Kind { return KindLoginStart }

// Kind is the message's number.
func (*LoginStarted) Kind() Kind { return KindLoginStarted }

// Kind is the message's number.
func (*LoginRedeem) Kind() Kind { return KindLoginRedeem }

// Kind is the message's number.
func (*LoginDone) Kind() Kind { return KindLoginDone }

// Kind is the message's number.
func (*LoginEnded) Kind() Kind { return KindLoginEnded }

// Kind is the message's number.
func (*LoginCancel) Kind() Kind { return KindLoginCancel }

// Kind is the message's number.
func (*Logout) Kind() Kind { return KindLogout }

// Kind is the message's number.
func (*Enrol) Kind() Kind { return KindEnrol }

// Kind is the message's number.
func (*Enrolled) Kind() Kind { return KindEnrolled }

// Kind is the message's number.
func (*Register) Kind() Kind { return KindRegister }

// Kind is the message's number.
func (*Registered) Kind() Kind { return KindRegistered }

// Kind is the message's number.
func (*TicketRequest) Kind() Kind { return KindTicketRequest }

// Kind is the message's number.
func (*Ticket) Kind() Kind { return KindTicket }

// Kind is the message's number.
func (*TicketFailed) Kind() Kind { return KindTicketFailed }

// Kind is the message's number.
func (*Offer) Kind() Kind { return KindOffer }

// Kind is the message's number.
func (*OfferFailed) Kind() Kind { return KindOfferFailed }

// Kind is the message's number.
func (*OpenRequest) Kind() Kind { return KindOpenRequest }

// Kind is the message's number.
func (*Grant) Kind() Kind { return KindGrant }

// Kind is the message's number.
func (*Denied) Kind() Kind { return KindDenied }

// Kind is the message's number.
func (*StreamEnded) Kind() Kind { return KindStreamEnded }

// Kind is the message's number.
func (*ExpireSoon) Kind() Kind { return KindExpireSoon }

// Kind is the message's number.
func (*SessionExtended) Kind() Kind { return KindSessionExtended }

// Kind is the message's number.
func (*SessionEnded) Kind() Kind { return KindSessionEnded }

// Kind is the message's number.
func (*ConnectorEnded) Kind() Kind { return KindConnectorEnded }

// Kind is the message's number.
func (*Cut) Kind() Kind { return KindCut }

// Kind is the message's number.
func (*CutDone) Kind() Kind { return KindCutDone }

// Kind is the message's number.
func (*Drain) Kind() Kind { return KindDrain }

// Kind is the message's number.
func (*MoveTo) Kind() Kind { return KindMoveTo }

// Kind is the message's number.
func (*AppsRequest) Kind() Kind { return KindAppsRequest }

// Kind is the message's number.
func (*Apps) Kind() Kind { return KindApps }

// Kind is the message's number.
func (*Resume) Kind() Kind { return KindResume }

// Kind is the message's number.
func (*Streams) Kind() Kind { return KindStreams }

// messages makes an empty message of each kind.
var messages = [...]func() Message{
	KindHello:           func() Message { return new(Hello) },
	KindWelcome:         func() Message { return new(Welcome) },
	KindPing:            func() Message { return new(Ping) },
	KindPong:            func() Message { return new(Pong) },
	KindFailure:         func() Message { return new(Failure) },
	KindOK:              func() Message { return new(OK) },
	KindLoginStart:      func() Message { return new(LoginStart) },
	KindLoginStarted:    func() Message { return new(LoginStarted) },
	KindLoginRedeem:     func() Message { return new(LoginRedeem) },
	KindLoginDone:       func() Message { return new(LoginDone) },
	KindLoginEnded:      func() Message { return new(LoginEnded) },
	KindLoginCancel:     func() Message { return new(LoginCancel) },
	KindLogout:          func() Message { return new(Logout) },
	KindEnrol:           func() Message { return new(Enrol) },
	KindEnrolled:        func() Message { return new(Enrolled) },
	KindRegister:        func() Message { return new(Register) },
	KindRegistered:      func() Message { return new(Registered) },
	KindTicketRequest:   func() Message { return new(TicketRequest) },
	KindTicket:          func() Message { return new(Ticket) },
	KindTicketFailed:    func() Message { return new(TicketFailed) },
	KindOffer:           func() Message { return new(Offer) },
	KindOfferFailed:     func() Message { return new(OfferFailed) },
	KindOpenRequest:     func() Message { return new(OpenRequest) },
	KindGrant:           func() Message { return new(Grant) },
	KindDenied:          func() Message { return new(Denied) },
	KindStreamEnded:     func() Message { return new(StreamEnded) },
	KindExpireSoon:      func() Message { return new(ExpireSoon) },
	KindSessionExtended: func() Message { return new(SessionExtended) },
	KindSessionEnded:    func() Message { return new(SessionEnded) },
	KindConnectorEnded:  func() Message { return new(ConnectorEnded) },
	KindCut:             func() Message { return new(Cut) },
	KindCutDone:         func() Message { return new(CutDone) },
	KindDrain:           func() Message { return new(Drain) },
	KindMoveTo:          func() Message { return new(MoveTo) },
	KindAppsRequest:     func() Message { return new(AppsRequest) },
	KindApps:            func() Message { return new(Apps) },
	KindStreams:         func() Message { return new(Streams) },
	KindResume:          func() Message { return new(Resume) },
}

// newMessage returns an empty message of a kind, nil where the kind is unknown.
func newMessage(k Kind) Message {
	if int(k) >= len(messages) || messages[k] == nil {
		return nil
	}
	return messages[k]()
}
