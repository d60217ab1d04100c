/*
 * The distributed refresh of ../fleet.md, for spin. check.sh runs it as it is, and
 * then with one rule taken away at a time, by the names in #ifdef.
 *
 * N processes share one storage and in it one record, whose refresh tokens are
 * numbered: 0, then 1 for the one that 0 was spent for, and so on. The numbers in
 * the comments of Process are those of the steps in ../fleet.md.
 *
 * Time is not counted. What time brings is a step, which may come whenever it could:
 *
 *  - A lease lapses while its holder is stopped, dead or cut off from the storage,
 *    or has left the lock behind. A process that runs renews it.
 *  - The wait for the owner of a note is over when that one is stopped, dead or cut
 *    off, or keeps a token that could not be written. If it runs, the wait is long
 *    enough. (A request that outlasts the wait when its lease is gone is a stop.)
 *  - Patience with a storage that is gone ends, or the storage comes back first. So
 *    does the time in which a token that could not be written keeps the lock.
 *  - Who finds the lock taken waits until something has changed. With POLL it looks
 *    again and again, and only fairness lets the others go on.
 *
 * Pauses after failed requests, and the end of tombstones and notes by their time to
 * live, are left out: they only make fewer requests, or come hours later.
 */
#ifndef N
#define N 2		/* processes: 2 or 3 */
#endif
#ifndef ROUNDS
#define ROUNDS 1	/* how often each of them needs another token */
#endif
#ifndef FAULTS
#define FAULTS 0	/* how many there are at most, of all kinds: see fate */
#endif
#ifndef FAMILY
#define FAMILY 0	/* 1: a spent token that comes back ends its successors too */
#endif
#ifndef LOGOUT
#define LOGOUT 0	/* 1: the shopper signs out at some time */
#endif
#ifndef POLL
#define POLL 0
#endif

#define TOKENS	(N * ROUNDS + 1)

/* What the record may be besides the number of a token. */
#define EXPIRED	20
#define GONE	21	/* a tombstone, or no record at all */

/* What may be on the wire of a process: 0 for nothing, or one of these. */
#define REQUEST(token)	(1 + (token))
#define ANSWER(token)	(20 + (token))
#define REFUSED		40	/* invalid_grant */
#define NO_ANSWER	41
#define isRequest(w)	((w) >= REQUEST(0) && (w) < ANSWER(0))
#define isToken(w)	((w) >= ANSWER(0) && (w) < REFUSED)

/* The storage. */
byte record;
bool held[N];		/* who has the lock, by the storage's clock */
byte noteToken;		/* 1 + the token that the note names, 0: no note */
byte noteOwner;
bool noteSame[N];	/* it is the one that this process has read: no two are alike */

/* The token server. */
byte current;		/* the token that has not been spent yet */
bool over;		/* nor will it be: it was revoked, or its family ended */

/* The processes, as far as others have to know. */
byte wire[N];
bool dead[N], stopped[N], cut[N], finished[N];
bool astray[N];		/* has the lock and does not renew it any more */
bool busy[N];		/* has noted a token and not finished with it */
bool pending[N];	/* has a token that the storage has not acknowledged */

byte faults;

/* What has happened, for the properties. */
byte noted[N];		/* 1 + the token that it has noted under the lease it has */
bool sent[N];		/* and sent */
bool looked[N];		/* it had the lease when it looked, after the note */
byte may[TOKENS] = 1;	/* how often the token may still be sent */
bool lost;		/* a process died, or an answer was lost, before the storage had it */
bool late;		/* a process that is alive was waited for in vain */
bool blind;		/* a token was sent without the storage */
bool out;		/* the shopper has signed out, */
bool revoked = !LOGOUT;	/* and the token of the record is revoked */
bool told;		/* the shopper knows that the session has expired */

/* The properties. Each is false for ever; the one that is not is in the error. */
bool sentTwiceUnderLease, sentTooOften, expiredInVain, rotationLost, logoutUndone, leftAlive;

#define mustNot(what, happens)	what = (happens); assert(!what)

#define me	_pid

#if N == 2
#define anyHeld	(held[0] || held[1])
#define allDone	((dead[0] || finished[0]) && (dead[1] || finished[1]))
#else
#define anyHeld	(held[0] || held[1] || held[2])
#define allDone	((dead[0] || finished[0]) && (dead[1] || finished[1]) && (dead[2] || finished[2]))
#endif

#define running(p)	(!dead[p] && !stopped[p] && !cut[p])

#ifdef NO_LOCK
#define lockFree	true
#else
#define lockFree	(!anyHeld)
#endif

/* Every token that gets into the record goes this way. */
inline put(token)
{
	mustNot(logoutUndone, out || told);
	record = token
}

inline setNote(token, owner)
{
	byte j;
	for (j : 0 .. N - 1) { noteSame[j] = false }
	j = 0;
	noteToken = token;
	noteOwner = owner
}

inline forgetLease(p)
{
	held[p] = false;
	astray[p] = false;
	sent[p] = false;
	noted[p] = 0
}

/* What was noted under a lease may be sent once more when that lapses. */
inline lapse(p)
{
	if
	:: held[p] && noted[p] > 0 -> may[noted[p] - 1]++
	:: else
	fi;
	forgetLease(p)
}

/* What a holder has sent nobody sends while his lease lasts, he himself included; but
   for one whose own lease lapsed after the look, or who cannot ask the storage. */
inline send(token, isBlind)
{
	byte i;
	for (i : 0 .. N - 1) {
		mustNot(sentTwiceUnderLease, held[i] && sent[i] && noted[i] == token + 1
			&& !isBlind && !(i != me && looked[me] && !held[me]))
	}
	i = 0;
	mustNot(sentTooOften, may[token] == 0);
	may[token]--;
	sent[me] = held[me];
	wire[me] = REQUEST(token)
}

inline forget()
{
	have = 0; kept = 0; token = 0; round = 0; ends = false;
	nToken = 0; nOwner = 0; noteSame[me] = false; looked[me] = false
}

active [N] proctype Process() provided (!stopped[_pid])
{
	byte have;		/* the token that it has */
	byte kept;		/* the record as last known: not have, if that could not be written */
	byte token;		/* the token to be written */
	byte nToken, nOwner;	/* the note as read */
	byte round;
	bool ends;		/* there is no session any more */

	{
	round = 1;

again:	/* 1. Read the record; before, write what could not be written. */
	atomic {
		looked[me] = false; busy[me] = false;
		if
		:: cut[me] -> goto gone
		:: !cut[me] && have != kept -> token = have; goto save
		:: else
		fi;
		if
		:: record >= EXPIRED -> goto ended
		:: record < EXPIRED && record != have -> have = record; kept = record; goto served
		:: else
		fi
	}

	/* 2. Take the lock. */
	atomic {
		(POLL || cut[me] || lockFree || record != have);
		if
		:: cut[me] -> goto gone
		:: !cut[me] && lockFree -> held[me] = true
		:: else -> goto again
		fi
	}

reread:	/* 3. Read the note, then the record. */
#ifndef NOTE_READ_LAST
	atomic {
		if
		:: cut[me] -> goto gone
		:: else -> nToken = noteToken; nOwner = noteOwner; noteSame[me] = true
		fi
	}
#endif
	atomic {
		if
		:: cut[me] -> goto gone
		:: else
		fi;
#ifndef NO_REREAD
		if
		:: record >= EXPIRED -> ends = true; goto release
		:: record < EXPIRED && record != have -> have = record; kept = record; goto release
		:: else
		fi
#endif
	}
#ifdef NOTE_READ_LAST
	atomic {
		if
		:: cut[me] -> goto gone
		:: else -> nToken = noteToken; nOwner = noteOwner; noteSame[me] = true
		fi
	}
#endif

	/* 4. Wait for another one who has noted the token. */
	atomic {
		if
		:: nToken != have + 1 || nOwner == me -> goto write
		:: else
		fi;
#ifndef NO_WAIT
#ifdef WAIT_FOR_EVER
		(cut[me] || record != have);
#else
		(cut[me] || record != have || !busy[nOwner] || !running(nOwner));
#endif
		if
		:: cut[me] -> goto gone
		:: !cut[me] && record != have -> goto reread
		:: else -> late = late || (!dead[nOwner] && (busy[nOwner] || pending[nOwner]))
		fi
#endif
	}

write:	/* 5. Note the token; then look whether the lease is still there. */
#ifdef LOOK_FIRST
	atomic {
		if
		:: held[me] -> looked[me] = true
		:: else -> goto again
		fi
	}
#endif
	atomic {
		if
		:: cut[me] -> goto gone
#ifdef NO_NOTE
		:: !cut[me]
#elif defined(NOTE_BY_SET)
		:: !cut[me] -> setNote(have + 1, me)
#else
		:: !cut[me] && (noteSame[me] || (nToken == 0 && noteToken == 0)) -> setNote(have + 1, me)
		:: else -> goto reread
#endif
		fi;
		busy[me] = true;
		noted[me] = (held[me] -> have + 1 : 0);
		nToken = 0; nOwner = 0; noteSame[me] = false
	}
#if !defined(NO_LOOK) && !defined(LOOK_FIRST)
	atomic {
		if
		:: cut[me] -> goto gone
		:: !cut[me] && held[me] -> looked[me] = true
		:: else -> goto again
		fi
	}
#endif

resend:	/* 6. Send the token. */
	atomic { send(have, false); goto wait }

gone:	/* The storage is: begin anew when it is back, or go on without it. */
	atomic {
		nToken = 0; nOwner = 0; noteSame[me] = false;
		astray[me] = held[me];
		if
		:: true -> goto without
		:: true
		fi
	}
	atomic {
		if
		:: cut[me] -> goto without
		:: !cut[me] -> goto again
		fi
	}

without:
	atomic {
		if
		:: true -> goto failed	/* the access token serves, and there is time */
		:: true
		fi;
		blind = true;
		may[have]++;
		send(have, true)
	}

wait:
	atomic {
		(wire[me] >= ANSWER(0));
		if
		:: isToken(wire[me]) -> token = wire[me] - ANSWER(0); wire[me] = 0; pending[me] = true
		:: wire[me] == REFUSED -> wire[me] = 0; goto refused
		:: wire[me] == NO_ANSWER -> wire[me] = 0;
			may[have]++;
#ifdef RETRY
			goto resend
#else
			goto failed
#endif
		fi
	}

save:	/* 7. Write the record, by compare-and-swap. */
	atomic {
		if
		:: cut[me] -> goto unsaved
		:: !cut[me] && faults < FAULTS -> faults++; goto unsaved
		:: !cut[me] && faults < FAULTS && record >= kept && record < token ->
			faults++; put(token); goto unsaved	/* it only seems to have failed */
		:: !cut[me]
		fi;
		if
#ifdef SAVE_BY_SET
		:: true -> put(token)
#else
#ifdef KNOW_ONLY_KEPT
		:: record == kept -> put(token)
#else
		:: record >= kept && record < token -> put(token)	/* one that it had itself */
#endif
#ifdef SAVE_REFUSED
		:: record == EXPIRED -> put(token)
#elif !defined(LEAVE_EXPIRED)
		:: record == EXPIRED && noteToken != token + 1 -> put(token)
#endif
		:: record == GONE -> goto tooLate
		:: else ->
			if
			:: record == EXPIRED -> pending[me] = false; token = 0; ends = true; goto release
			:: else -> token = record
			fi
#endif
		fi;
		pending[me] = false;
		have = token; kept = token; token = 0;
		goto release
	}

unsaved:	/* It serves the token, and writes again: for a while as the holder of the
		   lock, and whenever the token is used. */
	atomic {
		have = token; token = 0;
		busy[me] = false;
#ifdef UNLOCK_UNSAVED
		if
		:: held[me] -> forgetLease(me); setNote(0, 0)
		:: else
		fi
#endif
	}
	atomic {
		if
		:: round < ROUNDS && cut[me] -> round++; goto again
		:: !cut[me] -> token = have; goto save
		:: held[me] && !astray[me] -> astray[me] = true
		fi
	}
	atomic {
		if
		:: round < ROUNDS && cut[me] -> round++; goto again
		:: !cut[me] -> token = have; goto save
		fi
	}

tooLate:	/* The shopper has signed out: what has come is taken back. */
	atomic {
#ifndef NO_TAKING_BACK
		over = over || token == current;
#endif
		pending[me] = false; token = 0; ends = true;
		goto release
	}

refused:	/* 9. Read the record once more, else end the session. */
	atomic {
		if
		:: cut[me] -> may[have]++; goto failed
		:: else
		fi;
#ifdef EXPIRE_BY_SET
		record = EXPIRED; ends = true; goto unlock;
#else
		if
		:: record >= kept && record <= have ->
			mustNot(expiredInVain, !lost && !late && !blind);
			record = EXPIRED; ends = true;
			goto unlock	/* the note stays, for it names the token that was refused */
		:: record >= EXPIRED -> ends = true; goto release
		:: else -> have = record; kept = record; goto release
		fi
#endif
	}

failed:	/* There is an error for the caller. */
	atomic {
#ifndef UNLOCK_ON_ERROR
		if
		:: have != kept -> token = have; goto unsaved
		:: else
		fi
#else
		skip
#endif
	}

release:	/* 8. Delete the note, then unlock. */
	atomic {
		busy[me] = false;
		if
		:: !cut[me] && noteToken > 0 && noteOwner == me -> setNote(0, 0)
		:: else
		fi
	}
unlock:
	atomic {
		busy[me] = false;
		nToken = 0; nOwner = 0; noteSame[me] = false;
		if
		:: cut[me] -> astray[me] = held[me]
		:: else -> forgetLease(me)
		fi;
		if
		:: ends -> goto ended
		:: else
		fi
	}

served:	/* Its caller has a token, or an error. */
	atomic {
		if
		:: round < ROUNDS -> round++; goto again
		:: else
		fi
	}
ended:
	atomic { finished[me] = true; forget() }

	} unless { atomic { dead[me]; forget() } }
}

#define answer(p) \
	:: atomic { isRequest(wire[p]) -> \
		if \
		:: wire[p] == REQUEST(current) && !over -> current++; wire[p] = ANSWER(current) \
		:: else -> over = over || (FAMILY && wire[p] != REQUEST(current)); wire[p] = REFUSED \
		fi } \
	:: atomic { dead[p] && wire[p] >= ANSWER(0) -> wire[p] = 0 }

active proctype Server()
{
end:	do
	answer(0)
	answer(1)
#if N > 2
	answer(2)
#endif
	od
}

#if LOGOUT
active proctype Shopper()
{
	byte had = GONE;

	atomic {
#ifdef LOGOUT_LEAVES_EXPIRED
		if
		:: record < EXPIRED -> had = record; record = GONE
		:: else
		fi;
#else
		had = record; record = GONE;
#endif
		out = true
	}
	atomic { over = over || had == current; had = 0; revoked = true }
}
#endif

#define fault(may)	faults < FAULTS && (may) -> faults++

#ifdef NO_LEASE
#define mayLapse(p)	false
#else
#define mayLapse(p)	(held[p] && (dead[p] || cut[p] || astray[p]))
#endif

/* What may happen to a process; the writes that fail are in Process. */
#define fate(p) \
	/* It dies. */ \
	:: atomic { fault(running(p) && !finished[p]); \
		dead[p] = true; \
		lost = lost || pending[p] || isRequest(wire[p]) || isToken(wire[p]); \
		pending[p] = false; busy[p] = false; sent[p] = false } \
	/* It stands still past its lease, and goes on. */ \
	:: atomic { fault(running(p) && (held[p] || busy[p])); stopped[p] = true; lapse(p) } \
	:: atomic { stopped[p] -> stopped[p] = false } \
	/* The storage is gone for it, and comes back. */ \
	:: atomic { fault(running(p) && !finished[p]); cut[p] = true } \
	:: atomic { cut[p] -> cut[p] = false } \
	/* Its request is lost, or an answer that was no token; or one that was. */ \
	:: atomic { fault(isRequest(wire[p]) || wire[p] == REFUSED); wire[p] = NO_ANSWER } \
	:: atomic { fault(isToken(wire[p])); lost = true; wire[p] = NO_ANSWER } \
	:: atomic { mayLapse(p) -> lapse(p) }

active proctype World()
{
	do
	fate(0)
	fate(1)
#if N > 2
	fate(2)
#endif
	/* The next request of the shopper's is told. */
	:: atomic { record == EXPIRED -> told = true; record = GONE }
	:: atomic { allDone && revoked ->
		mustNot(rotationLost, (over || record != current)
			&& !lost && !out && !told && !(FAMILY && (late || blind)));
		mustNot(leftAlive, out && !over && !lost);
		break }
	od
}

/* Whoever needs a token gets one, or an error, unless it dies. */
ltl served { <> allDone }
