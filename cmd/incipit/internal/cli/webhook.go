package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func webhookCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Tell other programs and channels what happens",
		Long: "A webhook is an address that the server tells of deployments and rollouts, in the\n" +
			"order in which they happen. What is sent is signed as the Standard Webhooks\n" +
			"specification says. docs/webhooks.md has the kinds of notices and how to verify.",
		Example: examples("incipit admin webhook add https://hooks.example.com/incipit --kinds 'rollout.*,deployment.rollback'", "incipit admin webhook list"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(webhookAddCommand(e), webhookListCommand(e), webhookRemoveCommand(e), webhookDeliveriesCommand(e), webhookPingCommand(e), webhookRedeliverCommand(e))
	return cmd
}

func webhookAddCommand(e *env) *cobra.Command {
	var kinds, environments, prompts []string
	var slack bool
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook, and print its secret alone on standard output",
		Example: examples("incipit admin webhook add https://hooks.example.com/incipit --env production > webhook.secret",
			"incipit admin webhook add https://hooks.slack.com/services/T0/B0/x --slack --kinds 'rollout.*,deployment.rollback' --prompt 'billing/*'"),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.WebhookRequest{URL: args[0], Kinds: kinds, Environments: environments, Prompts: prompts}
			if slack {
				req.Format = registry.FormatSlack
			}
			return runWebhookAdd(cmd.Context(), e, req)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&kinds, "kinds", []string{"*"}, "tell of these `KINDS` of notices; a prefix and * stands for those that begin so")
	fl.StringSliceVar(&environments, "env", []string{"*"}, "in these `ENVIRONMENTS`")
	fl.StringSliceVar(&prompts, "prompt", []string{"*"}, "for these `PROMPTS`, such as billing/*")
	fl.BoolVar(&slack, "slack", false, "send a text, as Slack and its kin want it")
	return cmd
}

func webhookListCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks, without their secrets",
		Example: examples("incipit admin webhook list", "incipit admin webhook list --json=id,url,waiting"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runWebhookList(cmd.Context(), e) },
	}
}

func webhookRemoveCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Short:   "End a webhook, and what it was not told yet",
		Example: examples("incipit admin webhook remove 0f3c9a", "incipit admin webhook remove 0f3c9a --quiet"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.remoteOnly(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.RemoveWebhook(cmd.Context(), args[0]); err != nil {
				return err
			}
			e.talk("%s is removed", prompt.Visible(args[0]))
			return nil
		},
	}
}

func webhookDeliveriesCommand(e *env) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "deliveries ID",
		Short:   "Show what a webhook was told and will be told, the newest first",
		Example: examples("incipit admin webhook deliveries 0f3c9a", "incipit admin webhook deliveries 0f3c9a --limit 500 --json=id,state,error"),
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runDeliveries(cmd.Context(), e, args[0], limit) },
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "show so many, at most 500")
	return cmd
}

func webhookPingCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "ping ID",
		Short: "Try a webhook; one that is paused goes on",
		Long: "ping queues a notice for a webhook, behind what it was not told yet, and waits\n" +
			"some seconds for what comes of it.",
		Example: examples("incipit admin webhook ping 0f3c9a", "incipit admin webhook ping 0f3c9a --json=state,status,error"),
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runWebhookPing(cmd.Context(), e, args[0]) },
	}
}

func webhookRedeliverCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "redeliver DELIVERY",
		Short:   "Send a delivery again, under the same id",
		Example: examples("incipit admin webhook redeliver msg_0f3c9a", "incipit admin webhook redeliver msg_0f3c9a --json=state"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.remoteOnly(cmd.Context())
			if err != nil {
				return err
			}
			d, err := c.Redeliver(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.emit(d, func(w io.Writer) { fmt.Fprintf(w, "%s is sent again\n", d.ID) })
		},
	}
}

func runWebhookAdd(ctx context.Context, e *env, req api.WebhookRequest) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	made, err := c.AddWebhook(ctx, req)
	if err != nil {
		return err
	}
	e.talk("The secret is shown this once. The webhook's id is %s.", made.Webhook.ID)
	e.talk("Try it: incipit admin webhook ping %s", made.Webhook.ID)
	return e.emit(made, func(w io.Writer) { fmt.Fprintln(w, made.Secret) })
}

func runWebhookList(ctx context.Context, e *env) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	all, err := c.Webhooks(ctx)
	if err != nil {
		return err
	}
	return e.emit(all, func(w io.Writer) {
		out := [][]string{{"ID", "ADDRESS", "FORMAT", "TOLD OF", "WAITING", "STATE"}}
		for _, h := range all {
			state := "good"
			if !h.PausedAt.IsZero() {
				state = "gone " + words.Minute(h.PausedAt)
			}
			about := fmt.Sprintf("%s on %s in %s", strings.Join(h.Kinds, ","), strings.Join(h.Prompts, ","), strings.Join(h.Environments, ","))
			out = append(out, []string{h.ID, h.URL, string(h.Format), about, strconv.Itoa(h.Waiting), state})
		}
		table(w, out)
	})
}

func runDeliveries(ctx context.Context, e *env, id string, limit int) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	all, err := c.Deliveries(ctx, id, limit)
	if err != nil {
		return err
	}
	return e.emit(all, func(w io.Writer) {
		out := [][]string{{"DELIVERY", "NOTICE", "STATE", "ATTEMPTS", "QUEUED", "ERROR"}}
		for _, d := range all {
			out = append(out, []string{d.ID, string(d.Notice.Kind) + " " + d.Notice.ID, string(d.State), strconv.Itoa(d.Attempts), words.Minute(d.QueuedAt), d.Error})
		}
		table(w, out)
	})
}

// pingWithin is how long ping waits for what comes of it: one attempt.
const pingWithin = 12 * time.Second

func runWebhookPing(ctx context.Context, e *env, id string) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	d, err := c.PingWebhook(ctx, id)
	if err != nil {
		return err
	}
	if d, err = attempt(ctx, c, d); err != nil {
		return err
	}
	if d.Error != "" {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the webhook was not told: %s", prompt.Clip(d.Error, 300)), "it is tried again; see incipit admin webhook deliveries %s", id)
	}
	return e.emit(d, func(w io.Writer) {
		if d.State == registry.Delivered {
			fmt.Fprintf(w, "%s is delivered: the webhook answered %d\n", d.ID, d.Status)
			return
		}
		fmt.Fprintf(w, "%s waits behind others: incipit admin webhook deliveries %s\n", d.ID, prompt.Visible(id))
	})
}

// attempt waits until a delivery was tried once, or the time is over.
func attempt(ctx context.Context, c *api.Client, d registry.Delivery) (registry.Delivery, error) {
	within, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for d.Attempts == 0 {
		select {
		case <-within.Done():
			return d, ctx.Err()
		case <-t.C:
		}
		recent, err := c.Deliveries(ctx, d.Webhook, 100)
		if err != nil {
			return d, err
		}
		for _, r := range recent {
			if r.ID == d.ID {
				d = r
			}
		}
	}
	return d, nil
}
