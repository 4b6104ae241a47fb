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

// newMessage returns an empty message of a kind, nil where the kind is unknown.
func newMessage(k Kind) Message {
	switch k {
	case KindHello:
		return new(Hello)
	case KindWelcome:
		return new(Welcome)
	case KindPing:
		return new(Ping)
	case KindPong:
		return new(Pong)
	case KindFailure:
		return new(Failure)
	case KindOK:
		return new(OK)
	case KindLoginStart:
		return new(LoginStart)
	case KindLoginStarted:
		return new(LoginStarted)
	case KindLoginRedeem:
		return new(LoginRedeem)
	case KindLoginDone:
		return new(LoginDone)
	case KindLoginEnded:
		return new(LoginEnded)
	case KindLoginCancel:
		return new(LoginCancel)
	case KindLogout:
		return new(Logout)
	case KindEnrol:
		return new(Enrol)
	case KindEnrolled:
		return new(Enrolled)
	case KindRegister:
		return new(Register)
	case KindRegistered:
		return new(Registered)
	case KindTicketRequest:
		return new(TicketRequest)
	case KindTicket:
		return new(Ticket)
	case KindTicketFailed:
		return new(TicketFailed)
	case KindOffer:
		return new(Offer)
	case KindOfferFailed:
		return new(OfferFailed)
	case KindOpenRequest:
		return new(OpenRequest)
	case KindGrant:
		return new(Grant)
	case KindDenied:
		return new(Denied)
	case KindStreamEnded:
		return new(StreamEnded)
	case KindExpireSoon:
		return new(ExpireSoon)
	case KindSessionExtended:
		return new(SessionExtended)
	case KindSessionEnded:
		return new(SessionEnded)
	case KindConnectorEnded:
		return new(ConnectorEnded)
	case KindCut:
		return new(Cut)
	case KindCutDone:
		return new(CutDone)
	case KindDrain:
		return new(Drain)
	case KindMoveTo:
		return new(MoveTo)
	case KindAppsRequest:
		return new(AppsRequest)
	case KindApps:
		return new(Apps)
	}
	return nil
}
