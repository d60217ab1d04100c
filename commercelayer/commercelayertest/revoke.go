package commercelayertest

import "net/http"

// revoke ends an access or refresh token (RFC 7009). A client that does not
// prove itself is refused before anything is said about the token; a token that
// nobody knows is as good as revoked.
func (c *call) revoke() reply {
	if c.wrong != nil {
		return c.wrong.reply(c.place)
	}
	app, confidential, ok := c.client()
	if !ok {
		return errRevokeRefused.reply(c.place)
	}
	text := c.params["token"]
	if text == "" {
		return badRequest("invalid_request", "The field token is missing.").reply(c.place)
	}
	if holder, known := c.s.tokens.holder(text); known {
		ownedByCustomer := holder.owner.Type == "Customer"
		if holder.app != app || !confidential && !ownedByCustomer {
			return errRevokeRefused.reply(c.place)
		}
		if c.s.tokens.revoke(text) {
			c.s.journal.add(func(n *Counts) { n.Revoked++ })
		}
	}
	return newReply(http.StatusOK, jsonType, struct{}{})
}
