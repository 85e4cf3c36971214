if [ "$1" = loud ]; then echo "LOUD: $2"; else echo "soft: $1"; fi
