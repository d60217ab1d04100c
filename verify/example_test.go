package verify_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

// The tokens of one issuer, whom they speak for, and what becomes of one that is not
// genuine. The Verifier goes into bearer.MiddlewareOptions.
func ExampleNew() {
	auth := of("ES256") // the issuer's key, of which it publishes the public half
	verifier, err := verify.New([]verify.Issuer{{
		Name:       "https://auth.test",
		KeySet:     keySet(auth), // in a program usually KeySetURL, where the issuer has it
		Algorithms: []string{"ES256"},
		Audience:   []string{"https://shop.test"},
	}}, &verify.Options{
		Authorize: func(c *verify.Claims) (*bearer.Authorization, error) {
			if c.Subject == "" {
				return nil, &verify.Error{Kind: verify.ErrMissingClaim, Detail: "the token has no sub"}
			}
			return &bearer.Authorization{Owner: bearer.Owner{Type: "User", ID: c.Subject}, Scope: c.Scope}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	claims := fmt.Sprintf(`{"iss":"https://auth.test","aud":"https://shop.test","sub":"ada","exp":%d}`, time.Now().Add(time.Hour).Unix())
	who, err := verifier.Verify(context.Background(), auth.token(claims))
	fmt.Println(who.Owner, err)

	forger := fresh(auth.kid)
	_, err = verifier.Verify(context.Background(), forger.token(claims))
	fmt.Println(err, errors.Is(err, verify.ErrSignature))
	// Output:
	// {User ada} <nil>
	// verify: the token's signature is wrong true
}

// Claims of the application's own.
func ExampleAs() {
	auth := of("ES256")
	verifier, err := verify.New([]verify.Issuer{{Name: "https://auth.test", KeySet: keySet(auth), Algorithms: []string{"ES256"}}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	token := auth.token(`{"iss":"https://auth.test","exp":99999999999,"sub":"ada","tenant":{"id":7,"plan":"small"}}`)
	claims, err := verifier.Claims(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}

	type tenancy struct {
		Tenant struct {
			ID   int    `json:"id"`
			Plan string `json:"plan"`
		} `json:"tenant"`
	}
	own, err := verify.As[tenancy](claims)
	fmt.Println(claims.Subject, own.Tenant.ID, own.Tenant.Plan, err)
	// Output: ada 7 small <nil>
}
