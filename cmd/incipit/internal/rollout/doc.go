// Package rollout says what a rollout does next: a state machine that is pure.
//
// Next takes a state and an event to the state after, and to what must be done
// now. It knows no clock: a tick says how much time was observed since the last
// one, so a clock that jumps, a restart or another replica changes nothing. It
// does nothing itself: a command that was not carried out is said again at the
// next tick, and what was done comes back as an event, whoever did it. So no
// step is skipped, begun anew or done twice, as long as the state is kept in
// the same transaction as what was done.
package rollout
