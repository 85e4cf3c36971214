package incipit_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/incipit-dev/incipit"
)

// What incipit bundle --env production wrote, beside the program's source.
//
//go:embed testdata/sdk/production.bundle
var bundle []byte

func Example() {
	ctx := context.Background()
	client, err := incipit.New(ctx, incipit.Options{
		// Server: "https://incipit.example.com", Key: os.Getenv("INCIPIT_KEY"),
		Environment: "production",
		Bundle:      bundle, // without a server this is what is served
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := client.Prompt(ctx, "customer-support", "user-42", incipit.Vars{"question": "Where is my parcel?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.ID, p.Version, "from", p.Source, "for", p.Model)
	for _, m := range p.Messages {
		fmt.Printf("%s: %s\n", m.Role, m.Content)
	}
	_ = client.Close(ctx)
	// Output:
	// customer-support 1.4.0 from bundle for test-model-1
	// system: You are the support assistant of a shop. Answer in short and friendly sentences.
	// user: Where is my parcel?
}

// A program that was written for version 1 asks for it, and for nothing that
// is older than ten minutes.
func ExampleClient_Prompt() {
	ctx := context.Background()
	client, err := incipit.New(ctx, incipit.Options{Bundle: bundle})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close(ctx) }()

	vars := incipit.Vars{"question": "Where is my parcel?"}
	p, err := client.Prompt(ctx, "customer-support", "user-42", vars, incipit.WithVersion("^1"), incipit.WithMaxStaleness(10*time.Minute, incipit.Serve))
	fmt.Println(p.Version, p.Stale, err)

	_, err = client.Prompt(ctx, "customer-support", "user-42", vars, incipit.WithVersion("^2"))
	fmt.Println(errors.Is(err, incipit.ErrNotFound))

	_, err = client.Prompt(ctx, "customer-support", "user-42", incipit.Vars{"qestion": "?"})
	fmt.Println(errors.Is(err, incipit.ErrInvalid))
	// Output:
	// 1.4.0 true <nil>
	// true
	// true
}

// The record of a model call starts from the prompt that it is made with.
func ExampleClient_Record() {
	ctx := context.Background()
	client, err := incipit.New(ctx, incipit.Options{Bundle: bundle})
	if err != nil {
		log.Fatal(err)
	}
	p, err := client.Prompt(ctx, "customer-support", "user-42", incipit.Vars{"question": "Where is my parcel?"})
	if err != nil {
		log.Fatal(err)
	}

	call := p.Call()
	call.Latency, call.Outcome = 840*time.Millisecond, "ok" // of the model that answers p.Messages
	call.InputTokens, call.OutputTokens = 31, 58
	client.Record(call)

	fmt.Println(call.Prompt, call.Version, call.Environment, call.Arm)
	fmt.Println(client.Close(ctx)) // with Options.Server, it delivers what is left
	// Output:
	// customer-support 1.4.0 production stable
	// <nil>
}

// A test sets what it needs, and uses neither server nor files.
func ExampleOptions_overrides() {
	client, err := incipit.New(context.Background(), incipit.Options{Overrides: map[string]incipit.Prompt{
		"customer-support": {Version: "1.4.0", Model: "fake", Messages: []incipit.Message{{Role: "system", Content: "Be brief."}}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	p, err := client.Prompt(context.Background(), "customer-support", "user-42", nil)
	fmt.Println(p.Source, strings.ToUpper(p.Messages[0].Content), err)
	// Output: override BE BRIEF. <nil>
}
