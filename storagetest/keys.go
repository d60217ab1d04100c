package storagetest

import (
	"fmt"
	"strings"
)

// oddKeys are keys that differ only in what storages have been seen to change, or
// to give a meaning. Each holds the mark.
func (s *subject) oddKeys() []string {
	m := s.mark
	keys := []string{
		m, " " + m, m + " ", "\t" + m, m + "\n", m + "\r\n", m + "\x00", "\x00" + m,
		":" + m, m + ":", "::" + m, "/" + m, m + "/", "./" + m, "../" + m, m + "/..", m + "/.", m + ".", "-" + m, "." + m,
		m + "a:b", m + "a::b", m + "a/b", m + "a//b", m + "a\\b", m + "a\\\\b", m + "a b", m + "a  b", m + "a+b", m + "a%20b", m + "a%3Ab", m + "a%3ab",
		m + "a", m + "A", m + "a?b", m + "a?c", m + "a?", m + "a#b", m + "a&b", m + "a=b", m + "a;b", m + "a,b",
		m + "ü", m + "u\u0308", m + "Ü", m + "ß", m + "ss", m + "ſs", m + "ı", m + "i", m + "I", m + "\u200b", m + "\ufeff", m + "😀", m + "日本", m + "\u2028", m + "\ufffd",
		m + "*", m + "**", m + "[a]", m + "{a}", m + "{b}", "{" + m + "}", "{}" + m, m + "^", m + "$", m + "|", m + "<a>", m + "~", m + "(", m + ")", m + "!",
		m + `"`, m + "'", m + "`", m + "%", m + "%s", m + "%00", m + "_", m + "$(a)", m + "'; --", m + "\x7f", m + "\x1b[0m",
		m + "null", m + ".tmp", m + ".lock", m + ":lock",
		"cl_customer-" + m + "-market:id:xYZkjABcde store:id:bGvCXzYgNB",
	}
	const most = 1 << 10 // bytes
	long := most - len(m) - 1
	for _, fill := range []string{"k", "ü", "/"} {
		rest := strings.Repeat(fill, long/len(fill))
		keys = append(keys, m+rest+"1", m+rest+"2", "1"+rest+m, "2"+rest+m)
	}
	for _, key := range keys {
		s.own(key)
	}
	return keys
}

func keysAreToldApart(s *subject) {
	keys := s.oddKeys()
	value := func(i int) []byte { return s.value(fmt.Sprint(i)) }
	for i, key := range keys {
		s.set(key, value(i), 0)
	}
	for i, key := range keys {
		s.want(key, value(i), fmt.Sprintf("Set of %d keys, under %.60q,", len(keys), key))
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.del(key)
		}
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.wantNone(key, fmt.Sprintf("Delete of %.60q", key))
		} else {
			s.want(key, value(i), fmt.Sprintf("Delete of other keys than %.60q", key))
		}
	}
}
