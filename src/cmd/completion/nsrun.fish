# fish completion for nsrun: nsrun completion fish | source, or save it as ~/.config/fish/completions/nsrun.fish

# Asks nsrun itself for what can stand at the cursor: a line for each, kind, text and help with tabs between.
function __nsrun_ask
    set -l words (commandline -opc)
    set -l program (string replace -r '^~(?=/)' "$HOME" -- $words[1])
    set -e words[1]
    set -l current (string unescape -- (commandline -ct))
    $program __complete $words "$current" 2>/dev/null
end

function __nsrun_words
    for line in (__nsrun_ask)
        set -l fields (string split \t -- $line)
        switch $fields[1]
            case word
                printf '%s\t%s\n' $fields[2] $fields[3]
            case part
                printf '%s\t%s\n' $fields[2] $fields[3]
                # fish puts a blank after a lone candidate that does not end in = or : or the like
                string match -qr '[=:]$' -- $fields[2]; or printf '%s,\t%s\n' $fields[2] $fields[3]
            case dirs
                __fish_complete_directories (commandline -ct)
            case commands
                complete -C (commandline -ct)
        end
    end
end

# fish's own way with files knows ~, $variables and quotes, and begins anew behind = and :
function __nsrun_wants_files
    set -l lines (__nsrun_ask)
    string match -q 'files*' -- $lines; and return
    string match -q 'dirs*' -- $lines; and string match -qr '[~$"\'\\\\]' -- (commandline -ct)
end

complete -c nsrun -f -k -a '(__nsrun_words)'
complete -c nsrun -n __nsrun_wants_files -F
