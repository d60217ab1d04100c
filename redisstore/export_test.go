package redisstore

// Keys are where values and locks are in Redis.
type Keys struct{ keys keyspace }

func NewKeys(prefix string) (Keys, error) {
	keys, err := newKeyspace(prefix)
	return Keys{keys}, err
}

func (k Keys) Value(key string) string         { return k.keys.value(key) }
func (k Keys) Lock(key string) string          { return k.keys.lock(key) }
func (k Keys) Key(there string) (string, bool) { return k.keys.key(there) }
