# arpflux for vzctl: addresses of containers on the right interface only.
#
# `arpflux vz setup` wrote this file and has it sourced at the end of vps-functions; `arpflux vz uninstall`
# takes both back. It takes the place of vzctl's functions of these names: vzarp, vzarpipdetect,
# vzdelrouting. What belongs where, /etc/arpflux/policy.toml or ARPFLUX_IF in the container's file says.
#
# For any POSIX shell. Nothing here evaluates text from outside: addresses go to the command as one word,
# which refuses what is none.

arpflux_call() {
	arpflux_verb=$1
	shift
	VEID="${VEID:-}" VE_STATE="${VE_STATE:-}" \
		SKIP_ARPDETECT="${SKIP_ARPDETECT:-}" ERROR_ON_ARPFAIL="${ERROR_ON_ARPFAIL:-}" \
		@COMMAND@ vz "$arpflux_verb" @OPTIONS@ "$@"
}

# Without the command nothing can be published or withdrawn: the script ends here and leaves routes as they are,
# unless it is taking back its own.
arpflux_there() {
	[ -x @COMMAND@ ] || [ -n "${arpflux_undo:-}" ] ||
		vzerror "@COMMAND@ is not there: no address can be published or withdrawn; install arpflux again, or take the calls to it out of the scripts" "$VZ_CANT_ADDIP"
}

# The container's start ends here: 78 if an address is in use, else 34.
arpflux_fail() {
	case "$1" in
	1) vzerror "an address of container ${VEID:-?} is in use" "$VZ_IP_INUSE" ;;
	*) vzerror "arpflux could not publish the addresses of container ${VEID:-?} (status $1)" "$VZ_CANT_ADDIP" ;;
	esac
}

# The call's addresses without netmasks, if $1 is one of them; else $1 alone.
arpflux_list() {
	arpflux_all=" "
	for arpflux_word in ${IP_ADDR:-}; do
		arpflux_all="$arpflux_all${arpflux_word%%/*} "
	done
	case "$arpflux_all" in
	*" $1 "*) ;;
	*) arpflux_all=" $1 " ;;
	esac
}

arpflux_has_route() {
	${IP_CMD} route list table all "$1" 2>/dev/null | grep -qsF "$1 dev venet0"
}

# Asks for the addresses before anything is set.
vzarpipdetect() {
	[ -n "$1" ] || return 0
	arpflux_there
	arpflux_call detect --claim $$ -- "$1" || arpflux_fail $?
	[ "${VE_STATE:-}" = starting ] || return 0
	# What an earlier start left that was killed, or had other addresses.
	arpflux_left=$(cat "$VE_STATE_DIR/$VEID" 2>/dev/null)
	for arpflux_old in $arpflux_left; do
		arpflux_list "$arpflux_old"
		[ "$arpflux_all" = " $arpflux_old " ] && vzdelrouting "$arpflux_old"
	done
	return 0
}

# vps-net_del takes an address of a running container out of the state file in a pipeline that reads and writes
# that file, and loses all of it now and then. It is written again when the script ends.
arpflux_keep_state() {
	[ "${VE_STATE:-}" = running ] && [ -n "${VEID:-}" ] && [ -f "$VE_STATE_DIR/$VEID" ] || return 0
	if [ -z "${arpflux_state:-}" ]; then
		arpflux_state=$(cat "$VE_STATE_DIR/$VEID")
		trap 'printf "%s" "${arpflux_state# }" >"$VE_STATE_DIR/$VEID"' EXIT
	fi
	arpflux_rest=" "
	for arpflux_word in $arpflux_state; do
		[ "$arpflux_word" = "$1" ] || arpflux_rest="$arpflux_rest$arpflux_word "
	done
	arpflux_state=$arpflux_rest
}

# "add": sets the routes of all addresses of the call, then publishes all of them at once. vzctl's own order
# is the other one, with some 30 ms in which packets come and have nowhere to go.
# "del": vzdelrouting has withdrawn it.
vzarp() {
	if [ "$1" != add ]; then
		arpflux_keep_state "$2"
		return 0
	fi
	case " ${arpflux_published:-} " in
	*" $2 "*) return 0 ;;
	esac
	arpflux_list "$2"
	if [ "${VE_STATE:-}" = starting ]; then
		# Known before it is set: the next start finds it, if this one is killed.
		printf '%s' "${arpflux_all# }" >>"$VE_STATE_DIR/$VEID"
	fi
	arpflux_new=
	for arpflux_ip in $arpflux_all; do
		arpflux_has_route "$arpflux_ip" || arpflux_new="$arpflux_new $arpflux_ip"
	done
	arpflux_status=0
	for arpflux_ip in $arpflux_all; do
		# In a shell of its own: vzctl's function exits where it fails.
		(vzaddrouting "$arpflux_ip") || arpflux_status=$?
		[ $arpflux_status = 0 ] || break
	done
	if [ $arpflux_status = 0 ]; then
		if [ "$arpflux_all" = " $2 " ]; then
			arpflux_call net-add -- "$2"
		else
			arpflux_call net-add
		fi
		arpflux_status=$?
		if [ $arpflux_status = 0 ]; then
			arpflux_published="${arpflux_published:-}$arpflux_all"
			return 0
		fi
	fi
	arpflux_undo=yes
	for arpflux_ip in $arpflux_new; do
		vzdelrouting "$arpflux_ip"
	done
	arpflux_fail $arpflux_status
}

# Withdraws the addresses of the call, all at once, and then deletes the route of this one: unless it is
# another container's.
vzdelrouting() {
	arpflux_there
	case " ${arpflux_gone:-} " in
	*" $1 "*) ;;
	*)
		arpflux_list "$1"
		arpflux_theirs=$(arpflux_call net-del -- "$arpflux_all") ||
			vzwarning "arpflux could not withdraw$arpflux_all; arpflux vz sync does it once its route is gone"
		# shellcheck disable=SC2086 # lines become words
		arpflux_keep="${arpflux_keep:-} $(echo $arpflux_theirs) "
		arpflux_gone="${arpflux_gone:-}$arpflux_all"
		;;
	esac
	case "${arpflux_keep:-}" in
	*" $1 "*) return 0 ;;
	esac
	arpflux_has_route "$1" || return 0
	case "$1" in
	*:*) ${IP_CMD} -6 route flush "$1" dev venet0 ;;
	*) ${IP_CMD} route del "$1" dev venet0 ;;
	esac || vzwarning "the route to $1 could not be deleted"
}
