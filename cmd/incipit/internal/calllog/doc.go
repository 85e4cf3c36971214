// Package calllog keeps what is known of each call, and the rollups of them, a
// day at a time: in SQLite a file a day, in PostgreSQL tables a day. All SQL
// about calls stands here.
//
// # The day of a call
//
// A call belongs to the day (UTC) of the time in its id, which is a UUIDv7: so
// a call that is sent again, whenever and to whichever replica, meets itself in
// one table, whose primary key lets it in once. A late call still counts for
// the minute in which it started; that minute's row stands with the day of the
// id. Whoever reads a period adds up the rows of all days.
//
// # Order
//
// Every call and every feedback has a number, Seq: those of what is committed
// later are larger, across days and replicas, with gaps. Whoever reads on from
// a number misses nothing.
//
// # One transaction
//
// A group of calls, their rollups of minute and hour, and the feedback that
// waited for them are committed together for each day: all or nothing. Calls
// that arrive while another group is written make the next group, so the disk
// is waited for once for many.
package calllog
