# bash completion for nsrun: source <(nsrun completion bash), or save it as /etc/bash_completion.d/nsrun

# Asks nsrun itself for what can stand at the cursor: a line for each, kind, text and help with tabs between.
_nsrun() {
  # readline breaks words at COMP_WORDBREAKS (= and : among them): whole again here, as far as the cursor
  local rest=${COMP_LINE:0:COMP_POINT} words=() blank word i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    blank=${rest%%[![:space:]]*}
    rest=${rest#"$blank"}
    ((i == COMP_CWORD)) && word=$rest
    rest=${rest#"$word"}
    if [[ $i -gt 0 && -z $blank ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  local current=${words[-1]} program=${words[0]/#\~/$HOME} last= breaks=
  # what of the word readline takes for done
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
  [[ $breaks && $current =~ ^.*[$breaks] ]] && last=${BASH_REMATCH[0]}
  local kind text help files= found=()
  COMPREPLY=()
  while IFS=$'\t' read -r kind text help; do
    case $kind in
      word) found+=("$text ") ;;
      part) found+=("$text") ;;
      files) [[ $files ]] || files=-f ;;
      dirs) [[ $files ]] || files=-d ;;
      commands) files=-c ;;
    esac
    [[ $kind == files || $kind == dirs || $kind == commands ]] && blank=$text
  done < <("$program" __complete "${words[@]:1}" 2>/dev/null)
  if [[ -z $files ]]; then
    compopt -o nospace
    COMPREPLY=("${found[@]#"$last"}")
  elif [[ ${#found[@]} -eq 0 && $files != -c && $blank == "$last" ]]; then
    # nothing but files: readline's own way knows ~, $VARIABLES and quotes
    if [[ $files == -d ]]; then compopt -o dirnames; else compopt -o default; fi
  else
    [[ $files == -c ]] || compopt -o filenames
    mapfile -t COMPREPLY < <(compgen "$files" -- "${current#"$blank"}")
    COMPREPLY=("${COMPREPLY[@]/#/"$blank"}" "${found[@]% }")
    COMPREPLY=("${COMPREPLY[@]#"$last"}")
  fi
}
complete -F _nsrun nsrun
