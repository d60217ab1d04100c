package commercelayer

import (
	"errors"
	"strings"

	"github.com/bearerkit/bearer"
)

// keep has a source keep its token in Options.Storage, if there is one.
func (c *Credentials) keep(o *bearer.SourceOptions, kind string) error {
	if c.options.Storage == nil {
		return nil
	}
	scope := c.options.Scope
	if scope == "" {
		scope = "market:all"
	}
	key, err := storageKey(kind, c.id, scope)
	o.Storage, o.Key = c.options.Storage, key
	return err
}

// storageKey is where js-auth looks for a token: it goes by the scope that was
// asked for. It has to be the same after unstorage, with which js-auth keeps tokens,
// has changed it, or two could become one.
func storageKey(kind, id, scope string) (string, error) {
	key := kind + id + "-" + scope
	if normalized(key) != key {
		return "", errors.New("commercelayer: the client id or the scope has one of ? / \\ :: in it, by which two storage keys could become one: pass those of the API credentials")
	}
	return key, nil
}

// normalized is a key as unstorage makes it.
func normalized(key string) string {
	key, _, _ = strings.Cut(key, "?")
	key = strings.NewReplacer("/", ":", `\`, ":").Replace(key)
	parts := strings.FieldsFunc(key, func(r rune) bool { return r == ':' })
	return strings.Join(parts, ":")
}

// speaksForItself reports whether a token is nobody's but the client's. Another client's
// may be under its key: that of id "a-b" and scope "c" is that of "a" and "b-c".
func (c *Credentials) speaksForItself(t *bearer.Token) bool {
	claims, err := DecodeUnverified(t.AccessToken)
	return err == nil && claims.Application.ClientID == c.id && (claims.Owner == nil || claims.Owner.ID == "")
}
