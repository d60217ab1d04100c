package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Values and locks share the one space of keys that a Redis has. Nobody else's
// keys begin with these words; a value's that does is moved out of the way, so
// that no value ever lies where a lock does.
const (
	lockWord   = "bearer-lock:"
	escapeWord = "bearer-key:"
)

func isOwnWord(part string) bool { return part+":" == lockWord || part+":" == escapeWord }

// keyspace is the keys of a Store, as they are in Redis.
type keyspace struct {
	prefix string // empty, or ending in a colon
}

// value returns where the value of a key is.
func (k keyspace) value(key string) string {
	if strings.HasPrefix(key, lockWord) || strings.HasPrefix(key, escapeWord) {
		return k.prefix + escapeWord + key
	}
	return k.prefix + key
}

// lock returns where the lock of a key is.
func (k keyspace) lock(key string) string { return k.prefix + lockWord + key }

// key returns whose value is there. It reports false for what is not a value of
// this Store.
func (k keyspace) key(there string) (key string, ok bool) {
	key, ok = strings.CutPrefix(there, k.prefix)
	if !ok || strings.HasPrefix(key, lockWord) {
		return "", false
	}
	if escaped, ok := strings.CutPrefix(key, escapeWord); ok {
		// What stands there unescaped has been put there by somebody else, under a key
		// that no method of the Store reaches.
		return escaped, k.value(escaped) == there
	}
	return key, true
}

// maxPrefix leaves room for keys.
const maxPrefix = 256

// newKeyspace makes of a prefix what unstorage makes of its base.
func newKeyspace(prefix string) (keyspace, error) {
	refuse := func(why string) (keyspace, error) {
		return keyspace{}, fmt.Errorf("redisstore: Options.Prefix is %.300q, %s: pass a word like %q, or nothing", prefix, why, "app")
	}
	if len(prefix) > maxPrefix {
		return refuse(fmt.Sprintf("longer than %d bytes", maxPrefix))
	}
	if strings.Contains(prefix, "?") {
		return refuse("and unstorage would cut it off at the question mark")
	}
	if strings.ContainsFunc(prefix, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return refuse("with characters that cannot be printed")
	}
	parts := strings.FieldsFunc(prefix, func(r rune) bool { return r == ':' || r == '/' || r == '\\' })
	if len(parts) == 0 {
		if prefix != "" {
			return refuse("separators only")
		}
		return keyspace{}, nil
	}
	if i := slices.IndexFunc(parts, isOwnWord); i >= 0 {
		return refuse(fmt.Sprintf("with the part %q, under which another Store has its locks, or values", parts[i]))
	}
	return keyspace{prefix: strings.Join(parts, ":") + ":"}, nil
}
