// Package incipit gives a program the prompt that its environment runs, and
// records what came of it.
//
//	client, err := incipit.New(ctx, incipit.Options{Server: "https://incipit.example.com", Key: key, Environment: "production"})
//	p, err := client.Prompt(ctx, "customer-support", incipit.Subject(user), incipit.Vars{"question": question})
//	call := p.Call()
//	// send p.Messages to p.Model, and fill in the call
//	client.Record(call)
//
// A prompt is resolved in the program's own memory: no network, no lock. One
// goroutine follows the server, and a deploy is there in milliseconds. With the
// server gone, what was served last is served on, over a restart too, from a
// copy on disk; before there is one, from a bundle compiled into the program.
// Calls are brought to the server in the background, and each counts once.
package incipit
