package bearer

import "strings"

// challenge is one of those in WWW-Authenticate (RFC 9110 §11.6.1).
type challenge struct {
	scheme string            // in lower case
	params map[string]string // names in lower case; nil if there are none, or a token68
}

// parseChallenges reads the values of WWW-Authenticate. Where one cannot be read,
// those before it are returned and the rest of that value is left.
func parseChallenges(values []string) []challenge {
	var all []challenge
	for _, v := range values {
		p := challengeParser{v}
		for {
			c, ok := p.challenge()
			if !ok {
				break
			}
			all = append(all, c)
		}
	}
	return all
}

type challengeParser struct{ rest string }

func (p *challengeParser) challenge() (challenge, bool) {
	p.skip(" \t,")
	scheme := p.token()
	if scheme == "" {
		return challenge{}, false
	}
	c := challenge{scheme: strings.ToLower(scheme)}
	if p.skip(" \t") == 0 {
		return c, true
	}
	if before := p.rest; !p.token68() {
		p.rest = before
	}
	for {
		before := p.rest
		p.skip(" \t,")
		name, value, ok := p.param()
		if !ok { // the next scheme, or the end
			p.rest = before
			return c, true
		}
		if c.params == nil {
			c.params = make(map[string]string)
		}
		if name = strings.ToLower(name); c.params[name] == "" {
			c.params[name] = value // the first counts: who appends must not be able to overrule
		}
	}
}

// token68 reads the other form that follows a scheme, up to the comma behind it.
func (p *challengeParser) token68() bool {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !isToken68(r) })
	if end < 0 {
		end = len(p.rest)
	}
	rest := strings.TrimLeft(strings.TrimLeft(p.rest[end:], "="), " \t")
	if end == 0 || rest != "" && rest[0] != ',' {
		return false
	}
	p.rest = rest
	return true
}

func (p *challengeParser) param() (name, value string, ok bool) {
	name = p.token()
	p.skip(" \t")
	if name == "" || !strings.HasPrefix(p.rest, "=") {
		return "", "", false
	}
	p.rest = p.rest[1:]
	p.skip(" \t")
	if strings.HasPrefix(p.rest, `"`) {
		value, ok = p.quoted()
		return name, value, ok
	}
	return name, p.token(), true
}

func (p *challengeParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return "", false
}

func (p *challengeParser) token() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !isTokenChar(r) })
	if end < 0 {
		end = len(p.rest)
	}
	t := p.rest[:end]
	p.rest = p.rest[end:]
	return t
}

func (p *challengeParser) skip(chars string) int {
	n := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, chars)
	return n - len(p.rest)
}

// isToken reports whether text is one (RFC 9110 §5.6.2).
func isToken(text string) bool { return text != "" && strings.TrimLeftFunc(text, isTokenChar) == "" }

func isTokenChar(r rune) bool {
	return isAlphanumeric(r) || r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isToken68(r rune) bool { return isAlphanumeric(r) || strings.ContainsRune("-._~+/", r) }

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
