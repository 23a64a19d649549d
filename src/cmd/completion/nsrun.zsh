#compdef nsrun
# zsh completion for nsrun: source <(nsrun completion zsh), or save it as _nsrun in a directory of $fpath

# Asks nsrun itself for what can stand at the cursor: a line for each, kind, text and help with tabs between.
_nsrun() {
  local program=${(Q)words[1]} line kind text help before files=
  local -a whole parts whole_shown parts_shown fields
  program=${program/#\~/$HOME}
  for line in "${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
    fields=("${(@ps:\t:)line}")
    kind=$fields[1] text=$fields[2] help=${fields[3]:+"$fields[2]  -- $fields[3]"}
    case $kind in
      word) whole+=("$text") whole_shown+=("${help:-$text}") ;;
      part) parts+=("$text") parts_shown+=("${help:-$text}") ;;
      files|dirs|commands) files=$kind before=$text ;;
    esac
  done
  local -a list
  [[ -n $help ]] && list=(-l)
  (( $#whole )) && compadd $list -d whole_shown -a whole
  (( $#parts )) && compadd $list -S '' -d parts_shown -a parts
  [[ -n $before ]] && compset -P "${(b)before}"
  case $files in
    files) _files ;;
    dirs) _files -/ ;;
    commands) _command_names -e ;;
  esac
  (( compstate[nmatches] ))
}

# autoloaded from $fpath the file is the function's body; sourced it only defines it
if [[ $funcstack[1] == _nsrun ]]; then
  _nsrun "$@"
else
  compdef _nsrun nsrun
fi
