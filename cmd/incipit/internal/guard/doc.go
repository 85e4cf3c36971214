// Package guard decides from evidence whether a candidate is worse than the
// stable release, safe to advance, or not yet known to be either.
//
// A Detector takes observations one by one. For each it bets on which arm
// served the call, given what came of it. If the arm makes no difference such
// bets cannot win in the long run, whatever the law of the outcomes, so capital
// that grows is evidence: the probability that it ever reaches 1/alpha is at
// most alpha (Ville), however often one looks, at any time of day and at any
// split. What is guessed (rates, tables, variances) comes from earlier
// observations alone, and moves the speed of a verdict, never its validity.
//
// Everything here is a value: no clock, no disk, no network. Observe is called
// once for each call, in one order: two attempts of one call are one call, and
// who calls sees to that.
package guard
