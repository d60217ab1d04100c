package commercelayertest

import "time"

// errSpent tells nobody why: the client has to sign in again either way.
var errSpent = badRequest("invalid_grant", "The refresh token is invalid, expired, revoked, or was issued to another client.")

// refresh spends a refresh token and gives its successor. All of it happens
// under one lock: of two who show the same token, one is too late.
func (c *call) refresh(s subject) reply {
	text := c.params["refresh_token"]
	if text == "" {
		return badRequest("invalid_request", "The field refresh_token is missing.").reply(c.place)
	}
	t := c.s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.refresh[text]
	if old == nil || old.app != s.app || !time.Now().Before(old.expires) {
		return errSpent.reply(c.place)
	}
	if old.spent {
		ends := !c.s.opts.ForgiveReuse
		if ends {
			old.family.end()
		}
		c.s.journal.add(func(n *Counts) {
			n.RefreshReused++
			if ends {
				n.FamiliesEnded++
			}
		})
		return errSpent.reply(c.place)
	}
	if old.revoked {
		return errSpent.reply(c.place)
	}
	if s.scope.text != old.scope.text {
		return badRequest("invalid_scope", "The scope of the refresh token must be repeated as it was.").reply(c.place)
	}
	s.owner, s.custom = old.owner, old.custom
	token, err := t.issueLocked(s, terms{grant: grantRefreshToken, withRefresh: true, family: old.family})
	if err != nil {
		return internalError(c.place)
	}
	old.spent = true
	return c.granted(token)
}
