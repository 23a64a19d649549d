#compdef nsrun
# zsh completion for nsrun: source <(nsrun completion zsh), or save it as _nsrun in a directory of $fpath

# Asks nsrun itself for what can stand at the cursor: a line for each, kind, text and help with tabs between.
_nsrun() {
  local program=${(Q)words[1]} current=$QIPREFIX$PREFIX line head text shown before files
  local -a whole parts whole_shown parts_shown fields list
  program=${program/#\~/$HOME}
  current=${(Q)current}
  current=${current#[\"\']} # a quote that is still open
  head=${current%${current##*[=:,]}}
  for line in "${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "$current" 2>/dev/null)}"; do
    fields=("${(@ps:\t:)line}")
    text=${fields[2]#$head} shown=${text}${fields[3]:+  -- $fields[3]}
    [[ -n $fields[3] ]] && list=(-l)
    case $fields[1] in
      word) whole+=("$text") whole_shown+=("$shown") ;;
      part) parts+=("$text") parts_shown+=("$shown") ;;
      files|dirs|commands) files=$fields[1] before=$fields[2] ;;
    esac
  done
  # what stands before the value stays as it was typed, quotes and all
  if (( $#whole + $#parts )); then
    [[ -n $head ]] && compset -P '*[=:,]'
  elif [[ -n $before ]]; then
    compset -P "${(b)before}"
  fi
  (( $#whole )) && compadd $list -d whole_shown -a whole
  (( $#parts )) && compadd $list -S '' -d parts_shown -a parts
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
