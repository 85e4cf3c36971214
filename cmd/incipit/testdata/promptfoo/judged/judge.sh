# A judge: a category for those who ask for one, else a grade.
case "$1" in
*GOOD*) good=1 ;;
*) good= ;;
esac
case "$1" in
*[Cc]ategor* | *'(A)'*) if [ $good ]; then echo '{"category": "C", "reason": "the same"}'; else echo '{"category": "D", "reason": "not the same"}'; fi ;;
*) if [ $good ]; then echo '{"reason": "fine", "pass": true, "score": 0.9}'; else echo '{"reason": "not fine", "pass": false, "score": 0.2}'; fi ;;
esac
