package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
)

// describe puts an event into words, and names the source that it is about. No
// entry names a customer: who that was is told by the request alone.
func describe(event bearer.Event) (source string, e entry) {
	switch event := event.(type) {
	case bearer.TokenIssued:
		e = entry{Kind: "token", Detail: "it took " + event.Took.Round(time.Millisecond).String()}
		switch {
		case event.Same:
			e.Text = "asked for, and the same one came back"
		case event.Reason == bearer.ReasonMissing:
			e.Text = "requested: there was none"
		case event.Reason == bearer.ReasonAging:
			e.Text = "refreshed in good time"
		case event.Reason == bearer.ReasonExpired:
			e.Text = "refreshed: the old one had expired"
		case event.Reason == bearer.ReasonEvicted:
			e.Text = "replaced: the old one was rejected"
		}
		return event.Source, about(event.Source, e)
	case bearer.TokenFailed:
		e = entry{Kind: "trouble", Text: "could not be had"}
		if !event.NextTry.IsZero() {
			e.Detail = "next try at " + event.NextTry.Format("15:04:05")
		}
		if event.Serving {
			e.Detail = strings.TrimPrefix(e.Detail+", the old one serves on", ", ")
		}
		return event.Source, about(event.Source, e)
	case bearer.TokenEvicted:
		return event.Source, about(event.Source, entry{Kind: "token", Text: "evicted: the API rejected it"})
	case bearer.EvictionPaused:
		return event.Source, about(event.Source, entry{Kind: "trouble", Text: "rejected again, and kept until " + event.Until.Format("15:04:05")})
	case bearer.RequestReplayed:
		return "", entry{Kind: "token", Text: fmt.Sprintf("%s replayed with the new token: %d", event.Method, event.Status)}
	case bearer.RequestNotReplayed:
		return "", entry{Kind: "trouble", Text: event.Method + " not replayed", Detail: event.Why}
	case bearer.SignedIn:
		return "", entry{Kind: "session", Text: "Signed in, under a new session id"}
	case bearer.SignedOut:
		return "", entry{Kind: "session", Text: "Signed out, tokens revoked"}
	case bearer.CustomerExpired:
		return "", entry{Kind: "session", Text: "Session ended: it cannot be refreshed any more"}
	case bearer.StorageFailed:
		return "", entry{Kind: "trouble", Text: "The storage cannot be used", Detail: "what is in memory serves on"}
	case bearer.TokenWithheld:
		return "", entry{}
	}
	return "", entry{Kind: "trouble", Text: event.Message()}
}

// about begins an entry with whose token it is about.
func about(source string, e entry) entry {
	whose := "Your token"
	if strings.HasSuffix(source, " guest") {
		whose = "The guests’ token"
	}
	e.Text = whose + " " + e.Text
	return e
}
