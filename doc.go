// Package incipit gives a program the prompt that its environment runs, and
// records what came of it.
//
//	client, err := incipit.New(ctx, incipit.Options{Server: "https://incipit.example.com", Key: key, Environment: "production"})
//	p, err := client.Prompt(ctx, "customer-support", incipit.Subject(user), incipit.Vars{"question": question})
//	// send p.Messages to p.Model
//
// A prompt is resolved in the program's own memory: no network, no lock. One
// goroutine follows the server, and a deploy is there in milliseconds. With the
// server gone, what was served last is served on, over a restart too, from a
// copy on disk; before there is one, from a bundle compiled into the program.
package incipit
