package commercelayer

import (
	"context"
	"errors"
	"fmt"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// newCustomers returns what [SalesChannel] and [SingleCustomer] have in common: the
// credentials, the key that customers are kept under, and the options, with a storage
// for customers. kind says in errors who needs them.
func newCustomers(kind, id, scope string, opts *Options) (c *Credentials, key string, o Options, err error) {
	if opts != nil {
		o = *opts
	}
	switch {
	case id == "" || scope == "":
		return nil, "", o, fmt.Errorf("commercelayer: a %s needs its client id and a scope that names a market: pass those of the API credentials", kind)
	case o.Scope != "" && o.Scope != scope:
		return nil, "", o, fmt.Errorf("commercelayer: Options.Scope is not the scope that the %s was given: leave it empty", kind)
	}
	o.Scope = scope
	if key, err = storageKey("cl_customer-", id, scope); err != nil {
		return nil, "", o, err
	}
	if c, err = NewCredentials(id, o.ClientSecret, &o); err != nil {
		return nil, "", o, err
	}
	if o.Customers == nil {
		switch storage := o.Storage.(type) {
		case nil:
			o.Customers = memstore.New(nil)
		case bearer.CompareAndSwapper:
			o.Customers = storage
		default:
			return nil, "", o, errors.New("commercelayer: Options.Storage cannot keep customers, since it does not compare and swap: set Options.Customers to a storage that does")
		}
	}
	return c, key, o, nil
}

// ownerCustomer is the type of a customer among owners.
const ownerCustomer = "Customer"

var errNoCustomer = &notAuthorized{text: "the token's owner is not a customer"}

// ownerOf is the customer that a token speaks for; nobody if it is a guests'.
func ownerOf(t *bearer.Token) (bearer.Owner, error) {
	claims, err := DecodeUnverified(t.AccessToken)
	if err != nil {
		return bearer.Owner{}, err
	}
	switch {
	case claims.Owner == nil || claims.Owner.ID == "":
		return bearer.Owner{}, nil
	case !claims.IsCustomer():
		return bearer.Owner{}, errNoCustomer
	}
	return bearer.Owner{Type: ownerCustomer, ID: claims.Owner.ID}, nil
}

// issued checks that a token says to be one that c has asked for: another client's
// could neither be refreshed nor revoked.
func (c *Credentials) issued(t *bearer.Token) error {
	if t == nil {
		return nil
	}
	claims, err := DecodeUnverified(t.AccessToken)
	if err != nil {
		return err
	}
	if claims.Application.ClientID != c.id {
		return errors.New("commercelayer: the token was issued to another client: pass one that this sales channel has asked for")
	}
	return nil
}

// inbound keeps a request's own token from the service if it says to be of another
// issuer: a verifier may admit tokens of several.
func (c *Credentials) inbound(a *bearer.Authorization) error {
	claims, ok := a.Claims.(*Claims)
	if !ok { // of another Verifier, which does not say
		var err error
		if claims, err = DecodeUnverified(a.Token.AccessToken); err != nil {
			return err
		}
	}
	issuer, err := claims.hosts()
	if err != nil {
		return err
	}
	if issuer != c.hosts {
		return errors.New("commercelayer: the request's token is of another installation of the service: call its API by a client for that one")
	}
	return nil
}

// refreshCustomer spends a customer's refresh token, without the client's secret. The
// scope has to be the token's.
func (c *Credentials) refreshCustomer(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
	return c.RefreshToken(ctx, old.RefreshToken, &GrantOptions{Public: true, Scope: narrowScope(old.AccessToken)})
}

func (c *Credentials) revokeCustomer(ctx context.Context, token string) error {
	return c.Revoke(ctx, token, &RevokeOptions{Public: true})
}
