package redisstore

import "time"

// Keys are where values and locks are in Redis.
type Keys struct{ keys keyspace }

func NewKeys(prefix string) (Keys, error) {
	keys, err := newKeyspace(prefix)
	return Keys{keys}, err
}

func (k Keys) Value(key string) string         { return k.keys.value(key) }
func (k Keys) Lock(key string) string          { return k.keys.lock(key) }
func (k Keys) Key(there string) (string, bool) { return k.keys.key(there) }

// Written is the keys whose copies do not count.
type Written struct{ written }

func NewWritten() *Written { return &Written{written{born: time.Now()}} }

func (w *Written) Note(key string)     { w.note(key) }
func (w *Written) Has(key string) bool { return w.has(key) }
func (w *Written) Len() (n int) {
	w.until.Range(func(any, any) bool { n++; return true })
	return n
}
