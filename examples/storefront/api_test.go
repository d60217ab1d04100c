package main

import (
	"encoding/json"
	"reflect"
	"testing"
)

// However JSON:API writes it, many reads the same.
func FuzzMany(f *testing.F) {
	for _, s := range []string{`null`, `[]`, `{}`, `{"id":"1","type":"a"}`, `[{"id":"1","type":"a"},{"id":"2"}]`, `[`, `7`, ` [ ] `, `""`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got many[reference]
		if json.Unmarshal(b, &got) != nil {
			return
		}
		list, err := json.Marshal([]reference(got))
		if err != nil {
			t.Fatal(err)
		}
		var again many[reference]
		if err := json.Unmarshal(list, &again); err != nil || len(again) != len(got) || len(got) > 0 && !reflect.DeepEqual(again, got) {
			t.Errorf("%s is read as %v, and %s as %v (%v)", b, got, list, again, err)
		}
		if len(got) == 1 {
			one, _ := json.Marshal(got[0])
			if err := json.Unmarshal(one, &again); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%s is read as %v, want %v", one, again, got)
			}
		}
	})
}

func TestArtOf(t *testing.T) {
	for code, want := range map[string]art{
		"MUG-WHITE": {"mug", "white", ""}, "SHIRT-M": {"shirt", "", "M"}, "CAP": {Kind: "cap"},
		"5PANECAP9D9CA1FFFFFFXXXX": {Kind: "parcel"}, "": {Kind: "parcel"}, "BAG-<b>": {Kind: "bag"},
	} {
		if got := artOf(code); got != want {
			t.Errorf("artOf(%q) = %v, want %v", code, got, want)
		}
	}
}
