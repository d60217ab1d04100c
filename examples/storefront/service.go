package main

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// service is the Commerce Layer behind the shop.
type service struct {
	name            string // in words
	clientID        string // the sales channel's
	domain, authURL string // empty: the public service
	base            http.RoundTripper
	markets         []*market
	log             *slog.Logger

	local     *commercelayertest.Server // nil: it is a real one
	customers []commercelayertest.Customer
}

// newService returns the service that the environment names, else a local one
// whose tokens live so long.
func newService(env func(string) string, life time.Duration) (*service, error) {
	id := cmp.Or(env("COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"), env("COMMERCELAYER_CLIENT_ID"))
	scope := env("COMMERCELAYER_SCOPE")
	switch {
	case id == "" && scope == "":
		return localService(life)
	case id == "" || scope == "":
		return nil, errors.New("of COMMERCELAYER_SALES_CHANNEL_CLIENT_ID and COMMERCELAYER_SCOPE only one is set: set both to serve a sales channel's shop, or neither for the local one")
	}
	s := &service{
		name: "Commerce Layer", clientID: id,
		domain: env("COMMERCELAYER_DOMAIN"), authURL: env("COMMERCELAYER_AUTH_URL"),
		base: http.DefaultTransport,
		log:  slog.New(slog.DiscardHandler),
	}
	for _, scope := range []string{scope, env("COMMERCELAYER_OTHER_SCOPE")} {
		if scope != "" {
			s.markets = append(s.markets, namedMarket(scope))
		}
	}
	if len(s.markets) > 1 && s.markets[0].Path == s.markets[1].Path {
		return nil, errors.New("COMMERCELAYER_SCOPE and COMMERCELAYER_OTHER_SCOPE name the same market: leave the second one out")
	}
	return s, nil
}

// namedMarket is a market as its scope has it: market:code:usa becomes /usa.
func namedMarket(scope string) *market {
	name := scope[strings.LastIndexByte(scope, ':')+1:]
	path := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_':
			return c
		}
		return '-'
	}, name)
	return &market{Path: "/" + cmp.Or(path, "market"), Name: name, Scope: scope}
}

// localService is a Commerce Layer in this process. A life of 0 is the usual one.
func localService(life time.Duration) (*service, error) {
	if life != 0 && life < 10*time.Second {
		return nil, errors.New("-token-life is less than 10s: tokens would be renewed all the time")
	}
	server, err := commercelayertest.New(&commercelayertest.Options{
		Applications: []commercelayertest.Application{{
			Kind: commercelayertest.SalesChannel, ClientID: commercelayertest.SalesChannelID, TokenLife: life,
		}},
		RenewWithin: life / 2, // 0: as the service does
	})
	if err != nil {
		return nil, err
	}
	return &service{
		name:     "a Commerce Layer in this process",
		clientID: commercelayertest.SalesChannelID,
		base:     server.Transport(),
		markets: []*market{
			{Path: "/eu", Name: "Europe", Currency: "EUR", Scope: commercelayertest.MarketScope},
			{Path: "/us", Name: "USA", Currency: "USD", Scope: commercelayertest.OtherMarketScope},
		},
		log:       slog.New(slog.DiscardHandler),
		local:     server,
		customers: server.Options().Customers,
	}, nil
}

func (s *service) close() {
	if s.local != nil {
		s.local.Close()
	}
}
