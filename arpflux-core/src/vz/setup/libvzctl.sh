# arpflux for OpenVZ 7 (libvzctl): addresses of containers on the right interface only.
#
# `arpflux vz setup` wrote this file and has it sourced at the end of vz-functions, or by wrappers in script.d;
# `arpflux vz uninstall` takes it back. It takes the place of the functions vzarp, vzarpipdetect, vzarpipset,
# vzdelrouting, clean_routed_ips and clean_routed_ip (which vz-netns_dev_del calls, and which does not exist).
# What belongs where, /etc/arpflux/policy.toml or ARPFLUX_IF in the container's file says.
#
# For bash. Nothing here evaluates text from outside: addresses go to the command as one word, which refuses
# what is none.

arpflux_call() {
	local verb=$1
	shift
	VEID="${VEID:-}" SKIP_ARPDETECT="${SKIP_ARPDETECT:-}" ERROR_ON_ARPFAIL="${ERROR_ON_ARPFAIL:-}" \
		@COMMAND@ vz "$verb" @OPTIONS@ "$@"
}

# Without the command nothing can be published or withdrawn: the script ends here and leaves routes as they are,
# unless it is taking back its own.
arpflux_there() {
	[ -x @COMMAND@ ] || [ -n "${arpflux_undo:-}" ] ||
		vzerror "@COMMAND@ is not there: no address can be published or withdrawn; install arpflux again, or take the calls to it out of the scripts" "$VZ_CANT_ADDIP"
}

# The container's start ends here: 78 if an address is in use, else 34.
arpflux_fail() {
	case $1 in
	1) vzerror "an address of container ${VEID:-?} is in use" "$VZ_IP_INUSE" ;;
	*) vzerror "arpflux could not publish the addresses of container ${VEID:-?} (status $1)" "$VZ_CANT_ADDIP" ;;
	esac
}

# Asks for the addresses, and books them for this container, before anything is set: of two containers that
# start at the same time with one address, the second ends here and leaves the first one's route alone.
vzarpipdetect() {
	[ -n "$1" ] || return 0
	arpflux_there
	arpflux_call detect --claim $$ -- "$1" || arpflux_fail $?
}

vzarp() {
	# "del": vzdelrouting has withdrawn it. "add" by this script: all at once in vzarpipset, when all routes
	# are set.
	[ "$1" = add ] && [ "$SELFNAME" != vz-netns_dev_add ] || return 0
	arpflux_call net-add -- "$2" || arpflux_fail $?
}

# Publishes and announces all addresses. The caller leaves its list unquoted, so that only the first word
# comes as an argument; the environment has all.
vzarpipset() {
	local status ip
	arpflux_call net-add -- "${IP_ADD:-$*}" && return 0
	status=$?
	arpflux_undo=yes
	for ip in ${IP_ADD:-$*}; do
		vzdelrouting "$ip"
		[ -f "$VE_STATE_DIR/$VEID" ] && sed -i "\\|^${ip%%/*}\$|d" "$VE_STATE_DIR/$VEID"
	done
	arpflux_fail $status
}

# Withdraws an address and deletes its route: unless it is another container's.
vzdelrouting() {
	local ip=${1%%/*} family=-4 theirs
	arpflux_there
	[ "${ip#*:}" = "$ip" ] || family=-6
	if [[ " $arpflux_gone " != *" $ip "* ]]; then
		theirs=$(arpflux_call net-del -- "$ip") ||
			vzwarning "arpflux could not withdraw $ip; arpflux vz sync does it once its route is gone"
		arpflux_gone+=" $ip"
		[ -z "$theirs" ] || arpflux_keep+=" $ip"
	fi
	[[ " $arpflux_keep " == *" $ip "* ]] && return 0
	while [ -n "$($IP_CMD $family route list "$ip" 2>/dev/null)" ]; do
		$IP_CMD $family route del "$ip" || {
			vzwarning "the route to $ip could not be deleted"
			break
		}
	done
}

# Withdraws all addresses of the container, all at once, and deletes their routes.
clean_routed_ips() {
	local ip left theirs
	arpflux_there
	left=$(cat "$VE_STATE_DIR/$VEID" 2>/dev/null)
	if [ -n "$left" ]; then
		theirs=$(arpflux_call net-del -- "$left")
		arpflux_gone+=" $(echo $left)"
		arpflux_keep+=" $(echo $theirs)"
	fi
	arpflux_call stop || vzwarning "arpflux could not withdraw the addresses of container $VEID"
	for ip in $left; do
		vzdelrouting "$ip"
	done
	[ ! -f "$VE_STATE_DIR/$VEID" ] || : >"$VE_STATE_DIR/$VEID"
}

# One device of the container goes.
clean_routed_ip() {
	local ip
	[ -n "${IP_ADD:-}" ] || {
		clean_routed_ips
		return
	}
	for ip in $IP_ADD; do
		vzdelrouting "$ip"
		[ -f "$VE_STATE_DIR/$VEID" ] && sed -i "\\|^${ip%%/*}\$|d" "$VE_STATE_DIR/$VEID"
	done
	return 0
}

arpflux_gone=
arpflux_keep=
if [ "${ARPFLUX_LOCK:-}" = yes ]; then
	# Sourced before vz-functions, which then cannot put its own in their place (bash says so on stderr).
	readonly -f vzarp vzarpipdetect vzarpipset vzdelrouting clean_routed_ips clean_routed_ip
fi
