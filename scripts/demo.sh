#!/usr/bin/env bash
# Shows the life of a prompt, from init to rollback, in a repository of its own
# in a temporary directory. It checks what it tells: a command that does not do
# what the text beside it says ends the demo with status 1.
#
#   scripts/demo.sh          run it; .bin/incipit must be built
#   KEEP=1 scripts/demo.sh   leave the repository behind, and print where it is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ -x .bin/incipit ]] || {
	echo "demo: .bin/incipit is not there; run: make build" >&2
	exit 1
}
export PATH="$PWD/.bin:$PWD/scripts:$PATH" NO_COLOR=1
started=$SECONDS
work=$(mktemp -d)
finish() {
	local status=$?
	[[ -z ${app:-} ]] || kill "$app" 2>/dev/null || true
	[[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true
	[[ $status -eq 0 ]] || echo "demo: stopped with status $status" >&2
	if [[ ${KEEP:-} == 1 ]]; then
		echo "The repository is kept: $work/my-prompts"
	else
		rm -rf "$work"
	fi
}
trap finish EXIT

# The demo's repository is its own, wherever it is run from: no variables of a
# calling git, no repository above it, none of the user's hooks and keys.
unset CLICOLOR_FORCE GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_PREFIX
export GIT_CEILING_DIRECTORIES=$work
set_config() {
	local n=${GIT_CONFIG_COUNT:-0}
	export "GIT_CONFIG_KEY_$n=$1" "GIT_CONFIG_VALUE_$n=$2" "GIT_CONFIG_COUNT=$((n + 1))"
}
set_config commit.gpgSign false
set_config tag.gpgSign false
set_config tag.forceSignAnnotated false
set_config core.hooksPath /dev/null
if [[ -z $(git config --get user.name) || -z $(git config --get user.email) ]]; then
	export GIT_AUTHOR_NAME="Incipit demo" GIT_AUTHOR_EMAIL=demo@example.com
	export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
fi

# What is shown: a numbered step with its reason, a command, what it printed.
number=0
step() {
	number=$((number + 1))
	printf '\n%2d. %s\n' "$number" "$1"
	shift
	[[ $# -eq 0 ]] || printf '    %s\n' "$@"
	echo
}

note() { printf '    %s\n' "$@"; }

fail() {
	echo "demo: $*" >&2
	exit 1
}

# run shows and runs a line of shell. Its output is left in $out.
out=
run() { refused 0 "$1"; }

# refused is run for a line that must end with another status than 0.
refused() {
	local wanted=$1 line=$2 status=0
	printf '    $ %s\n' "$line"
	out=$(eval "set -o pipefail; $line" 2>&1 </dev/null) || status=$?
	[[ -z $out ]] || sed 's/^/      /' <<<"$out"
	[[ $wanted -eq 0 ]] || printf '      (exit status %s)\n' "$status"
	[[ $status -eq $wanted ]] || fail "status $status instead of $wanted: $line"
}

# expect holds the last output, or a text of its own, against what was told.
expect() { [[ ${2-$out} == *"$1"* ]] || fail "the output does not hold: $1"; }

# shown is what a page of the server holds, as a browser asks for it.
shown() {
	local host=${INCIPIT_SERVER#http://}
	exec 4<>"/dev/tcp/${host%:*}/${host##*:}"
	printf 'GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nConnection: close\r\n\r\n' "$1" "$host" >&4
	cat <&4
	exec 4>&-
}

between() { [[ $1 -ge $2 && $1 -le $3 ]] || fail "$1 is not between $2 and $3"; }

ID=customer-support
TEXT=prompts/$ID/system-prompt.txt
META=prompts/$ID/.prompt-metadata.json
LIVE="--env production --confirm production"

echo "Incipit: the life of a prompt, in a repository of its own."

step "Make a repository" \
	"init writes two prompts with tests, the environments and the CI files, and releases 1.0.0."
cd "$work"
run "incipit init my-prompts"
cd my-prompts
expect "customer-support@1.0.0" "$(git tag --list)"
expect "data-extraction@1.0.0" "$(git tag --list)"
git init --quiet --bare ../origin.git # the shared copy, which a later step fetches from
git remote add origin ../origin.git
git push --quiet --follow-tags --set-upstream origin main

step "Check the prompts" \
	"validate finds in one run all that can be found in files, a character nobody sees included."
run "incipit validate"
expect "2 checked, no errors"
printf 'Answer {{mood}}ly, and never\xe2\x80\x8b rudely.\n' >>$TEXT
note "Now with a line added that has a variable nobody declared, and a zero-width space:"
refused 2 "incipit validate $ID"
expect "variable-undeclared"
expect "zero-width"
git checkout --quiet -- $TEXT

step "Edit the wording" \
	"diff compares word by word with the last release, and names the release that the change needs."
run "sed -i 's/Calm, direct, and polite/Calm, warm, and brief/' $TEXT"
run "incipit diff $ID"
expect "[-direct-]{+warm+}"
expect "needs a patch release"

step "Release it" \
	"One commit with this prompt's files and the registry, one annotated tag. What else is staged stays so."
echo "an unfinished thought" >notes.md
git add notes.md
run "incipit release $ID --patch -m 'warmer tone'"
expect "customer-support@1.0.1 released"
run "git show --no-patch --format=%B $ID@1.0.1^{commit}"
expect "fix(customer-support): warmer tone (1.0.0 -> 1.0.1)"
expect "Digest: sha256:"
run "git status --short"
expect "A  notes.md"
git rm --quiet --cached notes.md
rm notes.md
refused 2 "incipit release $ID --patch -m 'once more'"
expect "has not changed since 1.0.1"

step "Change what callers see" \
	"A new optional variable is more than a patch. A release that says too little is refused."
sed -i 's/^    "customer_message": {/    "customer_name": {"type": "string", "default": "not known", "max_length": 80},\n&/' $META
sed -i '1i The customer is called: {{customer_name}}\n' "prompts/$ID/user-prompt.txt"
run "incipit diff $ID --stat"
expect "optional variable customer_name added"
refused 2 "incipit release $ID --patch -m 'greet by name'"
expect "it needs a minor one"
run "incipit release $ID --minor -m 'greet by name'"
expect "customer-support@1.1.0 released"
git push --quiet --follow-tags

step "Deploy" \
	"Staging gets the new release, production the one before it: an environment runs what it was given."
run "incipit deploy $ID@1.1.0 --env staging"
expect "customer-support@1.1.0 is live in staging"
run "incipit deploy $ID@1.0.1 $LIVE"
expect "customer-support@1.0.1 is live in production"

step "Look before production moves" \
	"plan does nothing; it shows from, to, the checks, who would move, and the way back."
run "incipit plan $ID@1.1.0 --env production --canary 5,25,50,100"
expect "1.0.1 → 1.1.0"
expect "5 % of the subjects move"

step "Start a canary" \
	"Production is protected: its name must be given. Without it nothing happens, and nothing waits."
refused 7 "incipit deploy $ID@1.1.0 --env production --canary 5,25,50,100"
expect "production is protected"
run "incipit deploy $ID@1.1.0 --env production --canary 5,25,50,100 --confirm production --reason 'greet by name'"
expect "has 5 % of the subjects"

step "Ask who gets what" \
	"The answer depends on the subject alone: user-12 gets the same release tomorrow."
for user in user-1 user-2 user-12; do
	run "incipit resolve $ID --env production --subject $user --explain"
	again=$(incipit resolve $ID --env production --subject $user --explain)
	[[ $again == "$out" ]] || fail "$user got two answers"
done
expect "(candidate)"
subjects() { seq -f 'user-%g' 1000 | incipit resolve $ID --env production --subjects -; }
candidates() { awk -F '\t' '$3 == "candidate" { print $1 }' | sort; }
note "Of 1,000 subjects:"
run "seq -f 'user-%g' 1000 | incipit resolve $ID --env production --subjects - | cut -f 2,3 | sort | uniq -c"
subjects | candidates >../at5
between "$(wc -l <../at5)" 30 70

step "Give it to more of them" \
	"Growing moves subjects to the new release, and none back."
run "incipit shift $ID $LIVE --to 25"
expect "has 25 % of the subjects"
run "seq -f 'user-%g' 1000 | incipit resolve $ID --env production --subjects - | cut -f 2,3 | sort | uniq -c"
subjects | candidates >../at25
between "$(wc -l <../at25)" 210 290
[[ -z $(comm -23 ../at5 ../at25) ]] || fail "a subject left the canary as it grew"
note "All $(wc -l <../at5) subjects that had 1.1.0 at 5 % have it still."

step "Promote" \
	"The new release becomes the stable one, for everybody."
run "incipit promote $ID $LIVE"
expect "customer-support@1.1.0 is live in production"

step "Roll back" \
	"Without a version it goes to the last good one, says how to undo it, and twice is once."
run "incipit rollback $ID $LIVE --reason 'greets some people by the wrong name'"
expect "customer-support@1.0.1 is live in production"
expect "Undo: incipit deploy customer-support@1.1.0"
run "incipit rollback $ID $LIVE"
expect "was already rolled back to 1.0.1"

step "See what happened" \
	"Who did what, when and why. Each line is a commit, too."
run "incipit history $ID --env production"
expect "rollback 1.1.0 → 1.0.1"
expect "greets some people by the wrong name"

step "Trust a release" \
	"Somebody moves the tag 1.1.0 to other files, with the message it had. verify tells; deploy refuses."
run "incipit verify"
expect "each with its tag, commit and digest"
git for-each-ref --format='%(contents)' refs/tags/$ID@1.1.0 >../message
run "git tag --force --annotate --file ../message $ID@1.1.0 $ID@1.0.1^{commit}"
refused 1 "incipit verify"
expect "tag-moved"
refused 1 "incipit deploy $ID@1.1.0 --env dev"
expect "is not the tag of this release"
note "The shared copy still has the true one, and verify says how to get it:"
run "git fetch --quiet --force origin tag $ID@1.1.0"
run "incipit verify"
expect "each with its tag, commit and digest"

step "Test it" \
	"The suite asks a model and holds the answers against what is expected. They are recorded in Git: from then on it is free." \
	"The model here is a stub. Starting a program is allowed on the command line alone; a model with a key needs no flag."
sed -i -e 's/^  judge: .*/  judge: exec:stub-model --judge/' -e '$a\  providers: {claude-sonnet-5: exec:stub-model}' incipit.yaml
run "incipit test $ID --mode record --allow exec --against production"
expect "7 cases passed, 0 failed, 0 errors"
git add incipit.yaml tests
git commit --quiet --message "test: recorded answers"
run "incipit test $ID --filter 'refund|language'"
expect "2 cases passed"

step "Decide a merge" \
	"On a branch somebody shortens the output section. ci tests what the branch changes, and compares it with what runs."
git checkout --quiet -b shorter
shorten="sed -i -e '/^STATUS: /d' -e 's/ The last line, always in English, is exactly one of://' $TEXT"
run "$shorten"
run "incipit bump $ID --minor -m 'shorter output section'"
out=$(incipit test $ID --mode record --allow exec --quiet 2>&1) || [[ $? -eq 3 ]] || fail "$out"
git add tests
git commit --quiet --message "test: recorded answers"
refused 3 "incipit ci --base main --report-dir ../report"
expect "regress"
expect "7 cases of 7 failed"
git checkout --quiet main
git branch --quiet -D shorter
note "The report is there as Markdown, JUnit, SARIF, JSON and HTML. In this demo nobody looks at it, and it comes back below."

step "Serve many" \
	"A server indexes the repository, takes over what runs, and keeps it in a database. The same commands talk to it."
note "\$ incipit serve --dev &"
: >../serve.log # it is read before the server has opened it
incipit serve --dev --listen 127.0.0.1:0 2>../serve.log &
server=$!
for ((i = 0; i < 300; i++)); do
	address=$(sed -n 's/.*msg=listening address=\([^ ]*\).*/\1/p' ../serve.log)
	[[ -z $address ]] || break
	kill -0 "$server" 2>/dev/null || { cat ../serve.log && fail "the server ended"; }
	sleep 0.1
done
export INCIPIT_SERVER=$address
run "incipit list"
expect "1.0.1"
run "incipit deploy $ID@1.0.1 --env staging"
expect "customer-support@1.0.1 is live in staging"
refused 2 "incipit deploy $ID@1.1.0 $LIVE --clear-quarantine"
expect "a change in production must say why"
run "incipit resolve $ID --env staging --subject user-7 --explain"
expect "user-7 gets customer-support@1.0.1 in staging"
run "incipit bundle --env production --out ../prompts.bundle"
expect "of production"
run "incipit audit"
expect "deploy customer-support 1.0.1"
run "incipit audit verify"
expect "each follows on the one before"

step "Release a bad idea" \
	"It is released all the same. The application reads the last line of each answer, which is now not asked for."
run "$shorten"
run "incipit diff $ID --stat"
run "incipit release $ID --minor -m 'shorter output section'"
expect "customer-support@1.2.0 released"
run "incipit sync"
expect "customer-support@1.2.0"

step "Let the guard find it" \
	"An application makes 500 calls a second and records each. 5 % of its customers get 1.2.0; the guard looks at every call."
mkfifo ../until
note "\$ traffic --rate 500 &"
traffic -server "$INCIPIT_SERVER" -prompt $ID -rate 500 <../until >../bad &
app=$!
exec 3>../until
canary=$SECONDS
refused 3 "incipit deploy $ID@1.2.0 $LIVE --canary --reason 'shorter answers' --wait --timeout 55s"
note "Found and taken back by itself, $((SECONDS - canary)) s after the canary began. Why, and on what evidence:"
run "incipit rollout show $ID --env production"
expect "rollback"
expect "worse: errors"
exec 3>&-
wait "$app" || fail "the application ended with an error"
app=""
run "incipit list"
expect "1.0.1"
run "incipit guard replay $ID --env production"
expect "regress"

step "Find the prompt behind one bad answer" \
	"The application could not use this answer. trace says which text produced it, who deployed that, and what was changed in it."
run "incipit trace $(cat ../bad) | head -n 40"
expect "1.2.0"
expect "candidate"
refused 3 "incipit deploy $ID@1.2.0 $LIVE --canary --reason 'once more'"
expect "was rolled back here"

step "Look at it in a browser" \
	"The server has pages: what runs where, and how a rollout fares while it goes on. 1.3.0 asks for the last line again."
run "git checkout --quiet $ID@1.0.1 -- $TEXT && sed -i 's/^Calm, /Calm, patient, /' $TEXT"
run "incipit release $ID --minor -m 'patient, and with the last line again'"
run "incipit sync"
traffic -server "$INCIPIT_SERVER" -prompt $ID -rate 200 <../until >../bad &
app=$!
exec 3>../until
run "incipit deploy $ID@1.3.0 $LIVE --canary --reason 'more patient'"
page=$(shown /)
expect "1.3.0" "$page"
expect "5 %" "$page"
note "The home page shows the rollout at 5 %: $INCIPIT_SERVER/" \
	"and its own page follows it: $INCIPIT_SERVER/environments/production/prompts/$ID/rollout"
if [[ -t 0 && -t 1 && ${CI:-} != true ]]; then
	read -rp "    Open it, try the buttons, and press Enter to end the demo. " _ || true
fi
exec 3>&-
wait "$app" || fail "the application ended with an error"
app=""
unset INCIPIT_SERVER
kill "$server"
wait "$server" || fail "the server did not stop by itself"
server=""
rm -r .incipit
note "Its data is thrown away again: without --mirror it wrote nothing into the repository."

step "Where things stand" \
	"One table, and what could come next."
run "incipit status"
expect "1.0.1"
git push --quiet --follow-tags
[[ -z $(git status --short) ]] || fail "files are left uncommitted"

printf '\nEvery step did what it said, in %d s.\n' $((SECONDS - started))
