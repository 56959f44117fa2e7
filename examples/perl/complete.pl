# A greedy completion by FFI::Platypus: perl complete.pl MODEL PROMPT TOKENS
use strict;
use warnings;
use FFI::Platypus 2.00;
use FFI::Platypus::Buffer qw(grow scalar_to_pointer set_used_length);

use constant { TOKENIZE_BOS => 1, DETOKENIZE_CONTINUE => 2 };

my $ffi = FFI::Platypus->new(api => 2, lib => 'libmixtral.so.1');
$ffi->attach(mixtral_status_name => ['sint32'] => 'string');
$ffi->attach(mixtral_last_error  => []         => 'string');

# Handles are numbers of 64 bits, not pointers that anything may follow.
my %functions = (
    load               => ['uint64*', 'string', 'opaque'],
    model_info         => ['uint64', 'opaque'],
    session_create     => ['uint64*', 'uint64', 'opaque'],
    sampler_create     => ['uint64*', 'opaque'],
    detokenizer_create => ['uint64*', 'uint64', 'uint32'],
    tokenize           => ['size_t*', 'sint32[]', 'size_t', 'uint64', 'string', 'size_t', 'uint32'],
    detokenizer_next   => ['size_t*', 'opaque', 'size_t', 'uint64', 'sint32*', 'size_t'],
    step               => ['uint64', 'sint32[]', 'size_t'],
    sample             => ['sint32*', 'uint64', 'uint64'],
    free               => ['uint64'],
);

# Each function dies with the library's sentence instead of returning a status.
for my $name (keys %functions) {
    $ffi->attach("mixtral_$name" => $functions{$name} => 'sint32' => sub {
        my ($function, @arguments) = @_;
        my $status = $function->(@arguments);
        die mixtral_status_name($status) . ': ' . mixtral_last_error() . "\n" if $status;
    });
}

my @objects;

sub create {
    my ($function, @arguments) = @_;
    my $handle = 0;
    $function->(\$handle, @arguments);
    push @objects, $handle;
    return $handle;
}

sub complete {
    my ($path, $prompt, $limit) = @_;
    my $model = create(\&mixtral_load, $path, undef);

    # Structures are packed bytes: struct_size first, and zero is the default of every other field.
    my $info = pack 'L x140', 144;
    mixtral_model_info($model, scalar_to_pointer $info);
    my $eos = unpack 'x52 l', $info;
    my $greedy = pack 'L x4 f x76', 88, 0;    # struct_size, temperature
    my $session     = create(\&mixtral_session_create, $model, undef);
    my $sampler     = create(\&mixtral_sampler_create, scalar_to_pointer $greedy);
    my $detokenizer = create(\&mixtral_detokenizer_create, $model, DETOKENIZE_CONTINUE);

    # A token is at least a byte; a few more for what belongs before and after a text.
    my @tokens = (0) x (length($prompt) + 8);
    my $count  = 0;
    mixtral_tokenize(\$count, \@tokens, scalar @tokens, $model, $prompt, length $prompt,
        TOKENIZE_BOS);
    mixtral_step($session, \@tokens, $count);

    my ($token, $size) = (0, 0);
    grow my $piece, 1024;
    my $write = sub {
        my ($fed) = @_;
        mixtral_detokenizer_next(\$size, scalar_to_pointer $piece, 1024, $detokenizer, \$token,
            $fed);
        set_used_length $piece, $size;
        print $piece;
    };
    for (1 .. $limit) {
        mixtral_sample(\$token, $session, $sampler);
        last if $token == $eos;
        $write->(1);
        mixtral_step($session, [$token], 1);
    }
    $write->(0);    # ends the text: what was held back of a character
}

die "usage: perl complete.pl MODEL PROMPT TOKENS\n" unless @ARGV == 3;
$| = 1;
my $done    = eval { complete(@ARGV); 1 };
my $message = $@;
mixtral_free($_) for reverse @objects;
$done or print STDERR $message;
exit !$done;
